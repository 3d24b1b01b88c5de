"""Items of a history that only report what was done: by the client's shell or editor, or by tools of another provider.

The model sees them as calls and results. An item that contains both becomes both; one that contains nothing to report
becomes no message, and is named in the header.
"""

from collections.abc import Callable, Sequence
from typing import Any

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.fields import Fields, refuse
from claudegwd.openai_api.messages import ImagePart, Message, Part, TextPart, ToolCall, read_image

Reader = Callable[[Fields, Bounds], Sequence[Message]]

OWN_INPUT_ID = "item_"  # prefix of our ids for items of a client's input

# Where an item of an unknown type may have text, in search order.
_WORDS = ("content", "output", "text", "result", "summary")
_SPEAKERS = ("user", "assistant", "system", "developer")


def _call(ident: str, name: str, arguments: Any) -> Message:
    text = arguments if isinstance(arguments, str) else encode(arguments).decode()
    return Message(role="assistant", tool_calls=(ToolCall(ident, name, text),))


def _result(ident: str, *parts: Part) -> Message:
    return Message(role="tool", tool_call_id=ident, content=tuple(parts))


def _told(ident: str, value: Any) -> Message:
    """A result of any shape: text unchanged, anything else as JSON."""
    text = value if isinstance(value, str) else encode(value).decode()
    return _result(ident, *((TextPart(text),) if text else ()))


def _call_id(item: Fields, bounds: Bounds) -> str:
    return item.needed_text("call_id", longest=bounds.max_id_chars)


def _ident(item: Fields, bounds: Bounds) -> str:
    return item.needed_text("id", longest=bounds.max_id_chars)


def _calling(name: str, field: str) -> Reader:
    """A call of this tool, with the object in this field as its arguments."""
    return lambda item, bounds: [_call(_call_id(item, bounds), name, item.needed_object(field).values)]


def _answering(field: str, otherwise: str) -> Reader:
    """A result in this field, of any shape, or else in another one."""

    def read(item: Fields, bounds: Bounds) -> Sequence[Message]:
        value = item.get(field)
        return [_told(_call_id(item, bounds), item.text(otherwise) or "" if value is None else value)]

    return read


def _mcp_call(item: Fields, bounds: Bounds) -> Sequence[Message]:
    ident = _ident(item, bounds)
    label = item.needed_text("server_label", longest=bounds.max_id_chars)
    name = item.needed_text("name", longest=bounds.max_id_chars)
    call = _call(ident, f"{label}__{name}", item.text("arguments") or "{}")
    output, error = item.get("output"), item.get("error")
    if output is None and error is None:
        return [call]
    return [call, _told(ident, error if output is None else output)]


def _file_search(item: Fields, bounds: Bounds) -> Sequence[Message]:
    results = item.array("results", longest=bounds.max_parts)
    if not results:
        return []  # only clients that asked for them get them: the answer itself says what was found
    ident = _ident(item, bounds)
    return [_call(ident, "file_search", {"queries": item.get("queries") or []}), _told(ident, results)]


def _code_interpreter(item: Fields, bounds: Bounds) -> Sequence[Message]:
    code = item.text("code")
    if not code:
        return []
    ident = _ident(item, bounds)
    outputs = item.objects("outputs", longest=bounds.max_parts)
    logs = [output.text("logs") or "" for output in outputs if output.get("type") == "logs"]
    return [_call(ident, "code_interpreter", {"code": code}), _told(ident, "\n".join(logs))]


def _image_generation(item: Fields, bounds: Bounds) -> Sequence[Message]:
    image = item.text("result")
    if not image:
        return []
    ident = _ident(item, bounds)
    asked = item.text("revised_prompt")
    call = _call(ident, "image_generation", {"prompt": asked} if asked else {})
    # Its bytes say what type it is.
    return [call, _result(ident, ImagePart(f"data:image/png;base64,{image}"))]


def _computer_call(item: Fields, bounds: Bounds) -> Sequence[Message]:
    actions = item.get("actions") or [item.get("action")]
    return [_call(_call_id(item, bounds), "computer", {"actions": actions})]


def _computer_output(item: Fields, bounds: Bounds) -> Sequence[Message]:
    ident, screen = _call_id(item, bounds), item.needed_object("output")
    if screen.get("image_url") is None:
        return [_told(ident, screen.values)]
    return [_result(ident, read_image(screen, bounds))]


def _tool_search_call(item: Fields, bounds: Bounds) -> Sequence[Message]:
    if item.get("call_id") is None:
        return []  # a server searched; what it found is offered
    arguments = item.get("arguments")
    return [_call(_call_id(item, bounds), "tool_search", {} if arguments is None else arguments)]


def _tool_search_output(item: Fields, bounds: Bounds) -> Sequence[Message]:
    if item.get("call_id") is None:
        return []
    tools = item.objects("tools", longest=bounds.max_tools)
    names = ", ".join(name for tool in tools if (name := tool.text("name", longest=bounds.max_id_chars)))
    return [_told(_call_id(item, bounds), f"These tools can be called now: {names}" if names else "No tool was found.")]


def _program_output(item: Fields, bounds: Bounds) -> Sequence[Message]:
    return [_told(_call_id(item, bounds), item.text("result") or "")]


def _program(item: Fields, bounds: Bounds) -> Sequence[Message]:
    return [_call(_call_id(item, bounds), "program", {"code": item.needed_text("code")})]


def _agent_message(item: Fields, bounds: Bounds) -> Sequence[Message]:
    """One agent's message to another: for the model it comes from outside."""
    said = _words_in(item.get("content"), bounds)
    if not said:
        refuse(item.at("content"), "it must contain text: content encrypted by another provider cannot be read here")
    author = item.text("author", longest=bounds.max_id_chars) or "another agent"
    recipient = item.text("recipient", longest=bounds.max_id_chars)
    head = f"Message from {author} to {recipient}:" if recipient else f"Message from {author}:"
    return [Message(role="user", content=(TextPart(f"{head}\n{said}"),))]


def _nothing(_item: Fields, _bounds: Bounds) -> Sequence[Message]:
    return []


def is_output(item: Fields) -> bool:
    """Whether a model wrote it: clients give no ids to their own items."""
    ident = item.get("id")
    return isinstance(ident, str) and bool(ident) and not ident.startswith(OWN_INPUT_ID)


def read_unknown(item: Fields, bounds: Bounds) -> Sequence[Message]:
    """An item of a type that is newer than we are: its text, if any. Raises InvalidRequest if meaning is lost."""
    said = next((found for name in _WORDS if (found := _words_in(item.get(name), bounds))), "")
    if said:
        role: Any = item.get("role")
        if role not in _SPEAKERS:
            role = "assistant" if is_output(item) else "user"
        return [Message(role=role, content=(TextPart(said),))]
    if not is_output(item) or item.get("encrypted_content") is not None:
        refuse(item.at("type"), "it is unknown, and the item contains no text to pass on; omit it")
    return []


def _words_in(value: Any, bounds: Bounds) -> str:
    """A text, or the texts of a list of parts."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    texts = (part.get("text") for part in value[: bounds.max_parts] if isinstance(part, dict))
    return "\n".join(text for text in texts if isinstance(text, str) and text)


HISTORY: dict[str, Reader] = {
    "shell_call": _calling("shell", "action"),
    "shell_call_output": _answering("output", "status"),
    "apply_patch_call": _calling("apply_patch", "operation"),
    "apply_patch_call_output": _answering("output", "status"),
    "mcp_call": _mcp_call,
    "mcp_list_tools": _nothing,
    "mcp_approval_request": _nothing,
    "mcp_approval_response": _nothing,
    "file_search_call": _file_search,
    "code_interpreter_call": _code_interpreter,
    "image_generation_call": _image_generation,
    "computer_call": _computer_call,
    "computer_call_output": _computer_output,
    "program": _program,
    "program_output": _program_output,
    "tool_search_call": _tool_search_call,
    "tool_search_output": _tool_search_output,
    "agent_message": _agent_message,
}
