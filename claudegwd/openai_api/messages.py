"""The messages of a chat request: their types, and how they are parsed."""

from typing import Any, Literal, TypeAlias, get_args

import msgspec

from claudegwd.openai_api.anthropic_parts import THINKING, read_tool_use, source_url
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.fields import Fields, cannot_honour, refuse

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
_ROLES: tuple[str, ...] = get_args(Role)
_IMAGE_DETAILS = ("auto", "low", "high", "original")
# Which parts each side may send. Images in tool results are our extension: agents send screenshots that way.
_PARTS_OF: dict[str, tuple[str, ...]] = {
    "system": ("text",),
    "developer": ("text",),
    "user": ("text", "image_url", "file", "image", "document", "tool_result"),
    "assistant": ("text", "refusal", "tool_use", *THINKING),
    "tool": ("text", "image_url", "file", "image", "document"),
    "function": ("text", "image_url", "file"),
}
# Parts that become messages, calls or nothing, but not content.
_BESIDE = ("tool_result", "tool_use", *THINKING)


class TextPart(msgspec.Struct, frozen=True, tag="text"):
    """Text, never empty."""

    text: str


class ImagePart(msgspec.Struct, frozen=True, tag="image"):
    """An image by data: or http(s) URL. Nothing has been decoded or fetched."""

    url: str
    detail: str | None = None


class FilePart(msgspec.Struct, frozen=True, tag="file"):
    """A file's content (data: URL or bare base64, not decoded yet), or the id of an uploaded one: one of the two."""

    file_data: str | None = None
    filename: str | None = None
    file_id: str | None = None


Part: TypeAlias = TextPart | ImagePart | FilePart


class ToolCall(msgspec.Struct, frozen=True):
    """A call that an assistant made. `arguments` is text as it came: a model's slip in a history may not be JSON."""

    id: str
    name: str
    arguments: str = "{}"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message. A tool's result names its call in `tool_call_id`; so does a legacy function's, once paired.

    `place`: the client's message that it comes from, if that has another position (one of several results).
    """

    role: Role
    content: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    is_error: bool = False
    name: str | None = None
    place: int | None = None

    def path(self, index: int) -> str:
        """The client's path of our message at `index`."""
        return f"messages[{index if self.place is None else self.place}]"


def read_messages(body: Fields, bounds: Bounds) -> tuple[Message, ...]:
    """Read `messages`; unknown fields of a message are accepted, since clients send back everything they received."""
    found = body.objects("messages", longest=bounds.max_messages)
    if not found:
        if body.get("messages") is None and body.get("input") is not None:
            refuse("messages", "it is missing, but there is `input`: send such a body to /v1/responses")
        refuse("messages", "it must contain at least one message")
    messages: list[Message] = []
    for index, fields in enumerate(found):
        for message in _messages(fields, bounds):
            # Once one message has become several, those after it need to know their position.
            moved = len(messages) != index
            messages.append(msgspec.structs.replace(message, place=index) if moved else message)
    return tuple(messages)


def _messages(fields: Fields, bounds: Bounds) -> list[Message]:
    """One message, or the results among a user's parts and then the rest of it."""
    message = _message(fields, bounds)
    if message.role != "user":
        return [message]
    results = [_result(part, bounds) for part in _parts_beside(fields, "tool_result", bounds)]
    return [*results, *([message] if message.content or not results else ())]


def _message(fields: Fields, bounds: Bounds) -> Message:
    role: Any = fields.one_of("role", _ROLES)
    if role is None:
        refuse(fields.at("role"), "it is missing; use one of " + ", ".join(_ROLES))
    name = fields.text("name", longest=bounds.max_id_chars)
    content = _content(fields, role, bounds)
    if role == "assistant":
        used = [ToolCall(*read_tool_use(part, bounds)) for part in _parts_beside(fields, "tool_use", bounds)]
        return Message(role=role, content=content, tool_calls=(*_calls(fields, bounds), *used), name=name)
    if role == "tool":
        call_id = fields.needed_text("tool_call_id", longest=bounds.max_id_chars)
        return Message(role=role, content=content, tool_call_id=call_id, name=name)
    if role == "function" and not name:
        refuse(fields.at("name"), "it is missing; name the function whose result this is")
    return Message(role=role, content=content, name=name)


def _parts_beside(fields: Fields, kind: str, bounds: Bounds) -> list[Fields]:
    if not isinstance(fields.get("content"), list):
        return []
    return [part for part in fields.objects("content", longest=bounds.max_parts) if part.get("type") == kind]


def _result(fields: Fields, bounds: Bounds) -> Message:
    call_id = fields.needed_text("tool_use_id", longest=bounds.max_id_chars)
    is_error = fields.flag("is_error") or False
    return Message(role="tool", content=_content(fields, "tool", bounds), tool_call_id=call_id, is_error=is_error)


def _content(fields: Fields, role: str, bounds: Bounds) -> tuple[Part, ...]:
    value = fields.get("content")
    if isinstance(value, str):
        return (TextPart(value),) if value else ()
    if value is None:
        # Null is empty, as in OpenAI's API; if it is missing altogether, it was forgotten.
        if role in ("system", "developer", "user") and "content" not in fields.values:
            refuse(fields.at("content"), "it is missing; send a string or a list of parts")
        # A refusal is sent back as a field of its own, next to null content.
        refusal = fields.text("refusal") if role == "assistant" else None
        return (TextPart(refusal),) if refusal else ()
    if not isinstance(value, list):
        refuse(fields.at("content"), "it must be a string or a list of parts")
    parts = []
    for part_fields in fields.objects("content", longest=bounds.max_parts):
        if part_fields.get("type") in _BESIDE and part_fields.get("type") in _PARTS_OF[role]:
            continue
        part = _part(part_fields, role, bounds)
        if not isinstance(part, TextPart) or part.text:
            parts.append(part)
    return tuple(parts)


def _part(fields: Fields, role: str, bounds: Bounds) -> Part:
    kind = fields.text("type")
    if kind == "input_audio":
        cannot_honour(fields.at("type"), "the model does not accept audio; send text")
    if kind not in _PARTS_OF[role]:
        refuse(fields.at("type"), _instead(role))
    if kind == "image_url":
        return read_image(fields, bounds)
    if kind == "file":
        return read_file(fields.needed_object("file"), bounds)
    if kind == "image":
        return ImagePart(source_url(fields, bounds))
    if kind == "document":
        return FilePart(source_url(fields, bounds), fields.text("title", longest=bounds.max_id_chars))
    text = fields.text(kind)
    if text is None:
        refuse(fields.at(kind), "it is missing; send a string")
    return TextPart(text)


def _instead(role: str) -> str:
    article = "an" if role == "assistant" else "a"
    kinds = _PARTS_OF[role]
    if len(kinds) == 1:
        return f"{article} {role} message may contain only {kinds[0]} parts; send anything else in a user message"
    return (
        f"a part of {article} {role} message must be one of {', '.join(kinds)}; for Anthropic's others use /v1/messages"
    )


def read_image(fields: Fields, bounds: Bounds) -> ImagePart:
    """Read the `image_url` and `detail` of a part."""
    # Several clients send a bare string instead of the object, and all other servers accept it.
    if fields.get("image_url") is None:
        refuse(fields.at("image_url"), "it is missing; send a data: URL")
    image = fields if isinstance(fields.get("image_url"), str) else fields.needed_object("image_url")
    name = "image_url" if image is fields else "url"
    url = image.needed_text(name)
    scheme = url[:8].lower()
    if scheme.startswith(("http://", "https://")):
        if len(url) > bounds.max_url_chars:
            refuse(image.at(name), f"a URL must be at most {bounds.max_url_chars} characters long")
    elif not scheme.startswith("data:"):
        refuse(image.at(name), "it must be a data: URL")
    return ImagePart(url, image.one_of("detail", _IMAGE_DETAILS))


def read_file(fields: Fields, bounds: Bounds) -> FilePart:
    """Read what identifies a file, from the object that contains it."""
    data = fields.text("file_data")
    file_id = fields.text("file_id", longest=bounds.max_id_chars)
    if not data and not file_id:
        refuse(fields.at("file_data"), "it is missing; send a data: URL")
    return FilePart(data or None, fields.text("filename", longest=bounds.max_id_chars), file_id)


def _calls(fields: Fields, bounds: Bounds) -> tuple[ToolCall, ...]:
    legacy = fields.object("function_call")
    calls = fields.objects("tool_calls", longest=bounds.max_tools)
    if legacy is not None and not calls:
        return (read_call("", legacy, bounds),)
    return tuple(_tool_call(call, bounds) for call in calls)


def _tool_call(fields: Fields, bounds: Bounds) -> ToolCall:
    kind = fields.text("type")
    if kind == "custom":
        cannot_honour(fields.at("type"), "custom tools are not supported; use function tools")
    # Several clients omit the type in their histories.
    if kind not in (None, "function"):
        refuse(fields.at("type"), "it must be function")
    call_id = fields.needed_text("id", longest=bounds.max_id_chars)
    return read_call(call_id, fields.needed_object("function"), bounds)


def read_call(call_id: str, fields: Fields, bounds: Bounds) -> ToolCall:
    """Read the `name` and `arguments` of a call."""
    name = fields.needed_text("name", longest=bounds.max_id_chars)
    # However long, deep or broken: what a model wrote and we handed out must be accepted back.
    return ToolCall(call_id, name, fields.text("arguments") or "{}")
