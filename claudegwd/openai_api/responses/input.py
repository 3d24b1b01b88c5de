"""Turns the input of POST /v1/responses, a text or items of a conversation, into the messages of a chat.

Each message keeps the path of the item that it comes from, so that an error about it can name that path.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.fields import Fields, cannot_honour, refuse
from claudegwd.openai_api.messages import Message, Part, Role, TextPart, ToolCall, read_call, read_file, read_image
from claudegwd.openai_api.parameters import is_marked
from claudegwd.openai_api.responses.compaction import Unseal, kept, read_compaction
from claudegwd.openai_api.responses.history import HISTORY, is_output, read_unknown
from claudegwd.openai_api.responses.tools import CUSTOM_INPUT, name_in

_ROLES: dict[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
}
_TEXTS = ("input_text", "output_text", "text")
_MIXED = (*_TEXTS, "input_image", "input_file")
# The parts that each may contain. All servers accept either side's texts under the other's name.
_PARTS_OF: dict[str, tuple[str, ...]] = {
    "user": _MIXED,
    "assistant": (*_TEXTS, "refusal"),
    "system": _TEXTS,
    "developer": _TEXTS,
    "tool": _MIXED,
}
_KNOWN_PARTS = frozenset((*_MIXED, "refusal", "input_audio"))
# What a model at another provider did, with nothing left to report: the answer itself says what was found.
_SAYS_NOTHING = ("reasoning", "web_search_call")
# They add tools for everything that follows.
_BRINGS_TOOLS = ("additional_tools", "tool_search_output")

PREVIOUS = "previous_response_id"  # the path of everything sent with earlier requests

# The item with this id, from an earlier response of the same client.
Find = Callable[[str], Mapping[str, Any] | None]


class Placed(msgspec.Struct, frozen=True):
    """A message, and the item it comes from."""

    message: Message
    path: str
    item: Fields | None = None


def input_items(body: Fields, bounds: Bounds) -> list[Fields]:
    """The items of `input`; a string is one message of the user's."""
    value = body.get("input")
    if isinstance(value, str):
        if not value.strip():
            refuse("input", "it is empty; send a string or a list of items")
        return [Fields({"type": "message", "role": "user", "content": value}, "input")]
    if value is not None and not isinstance(value, list):
        refuse("input", "it must be a string or a list of items")
    return body.objects("input", longest=bounds.max_messages)


def resolved(items: Sequence[Fields], find: Find) -> list[Fields]:
    """The items, with references to items of earlier responses resolved."""
    return [_resolved(item, find) for item in items]


def _resolved(item: Fields, find: Find) -> Fields:
    # The type may be missing: an id alone is a reference too.
    bare = item.get("type") is None and item.get("role") is None and item.get("id") is not None
    if not bare and item.get("type") != "item_reference":
        return item
    found = find(item.needed_text("id"))
    if found is None:
        refuse(item.at("id"), "no stored response contains this item; send the item itself")
    return Fields(dict(found), item.path)


class History(msgspec.Struct, frozen=True):
    """What these items say. `tools` came with them; `ignored` names the types and fields that were left out.
    `kept_bytes`: the JSON size of those items that were kept.
    """

    placed: tuple[Placed, ...] = ()
    tools: tuple[Fields, ...] = ()
    ignored: tuple[str, ...] = ()
    items: int = 0
    kept_bytes: int = 0

    def as_earlier(self) -> "History":
        """The same, for the requests that continue from here."""
        placed = (one if one.path == PREVIOUS else msgspec.structs.replace(one, path=PREVIOUS) for one in self.placed)
        return msgspec.structs.replace(self, placed=tuple(placed))


def read_items(items: Sequence[Fields], bounds: Bounds, unseal: Unseal, before: History | None = None) -> History:
    """The messages of these items, in order, and what else they contain; appended to `before`."""
    before = before or History()
    placed = list(before.placed)
    tools = list(before.tools)
    ignored = dict.fromkeys(before.ignored)
    for item in items:
        kind = item.text("type") or "message"
        if kind in _BRINGS_TOOLS:
            tools += item.objects("tools", longest=bounds.max_tools)
        if kind == "compaction":
            placed = [*kept_of(placed), Placed(read_compaction(item, unseal), item.path)]
            continue
        messages = _messages(item, kind, bounds)
        placed += [Placed(message, item.path, item) for message in messages]
        ignored |= dict.fromkeys(_without_effect(item, kind, told=bool(messages)))
    return History(tuple(placed), tuple(tools), tuple(ignored), before.items + len(items), before.kept_bytes)


def kept_of(placed: Sequence[Placed]) -> list[Placed]:
    """The messages that stay when the rest is summarised."""
    return [one for one, stays in zip(placed, kept([one.message for one in placed]), strict=True) if stays]


def _messages(item: Fields, kind: str, bounds: Bounds) -> Sequence[Message]:
    if kind in _SAYS_NOTHING or kind == "additional_tools":
        return ()
    if kind == "compaction_trigger":
        refuse(item.at("type"), "it compacts everything before it, so it must be the last item")
    if kind in _READERS:
        return (_READERS[kind](item, bounds),)
    return HISTORY.get(kind, read_unknown)(item, bounds)


def _without_effect(item: Fields, kind: str, *, told: bool) -> list[str]:
    names = []
    if kind not in _SAYS_NOTHING and kind not in _BRINGS_TOOLS and (not told or kind not in _KNOWN):
        names.append(f"input.{kind}")
    parts = _parts(item)
    kinds = (part.get("type") for part in parts)  # those that are newer than we are are named
    names += [f"input.content.{kind}" for kind in kinds if isinstance(kind, str) and kind not in _KNOWN_PARTS]
    # The model's API cannot mark a message as commentary, and has no calls by programs.
    if item.get("phase") is not None:
        names.append("input.phase")
    caller = item.object("caller")
    if caller is not None and caller.text("type") != "direct":
        names.append("input.caller")
    if any(map(is_marked, (item.values, *parts))):
        names.append("input.cache_control")
    return names


def _parts(item: Fields) -> list[dict[str, Any]]:
    values = [part for name in ("content", "output") if isinstance(parts := item.get(name), list) for part in parts]
    return [part for part in values if isinstance(part, dict)]


def _said(item: Fields, bounds: Bounds) -> Message:
    name = item.one_of("role", _ROLES)
    if name is None:
        refuse(item.at("role"), "it is missing; use one of " + ", ".join(_ROLES))
    role = _ROLES[name]
    if role != "assistant" and "content" not in item.values:
        refuse(item.at("content"), "it is missing; send a string or a list of parts")
    return Message(role=role, content=_content(item, "content", role, bounds))


def _result(item: Fields, bounds: Bounds) -> Message:
    # The shell's results have the item's id in OpenAI's description, but a call_id in what clients send.
    name = "id" if item.get("type") == "local_shell_call_output" and item.get("call_id") is None else "call_id"
    call_id = item.needed_text(name, longest=bounds.max_id_chars)
    return Message(role="tool", tool_call_id=call_id, content=_content(item, "output", "tool", bounds))


def _call(item: Fields, bounds: Bounds) -> Message:
    call = read_call(item.needed_text("call_id", longest=bounds.max_id_chars), item, bounds)
    name = name_in(item.text("namespace", longest=bounds.max_id_chars), call.name)
    return Message(role="assistant", tool_calls=(ToolCall(call.id, name, call.arguments),))


def _custom_call(item: Fields, bounds: Bounds) -> Message:
    call_id = item.needed_text("call_id", longest=bounds.max_id_chars)
    name = item.needed_text("name", longest=bounds.max_id_chars)
    name = name_in(item.text("namespace", longest=bounds.max_id_chars), name)
    argument = item.text("input") or ""
    arguments = encode({CUSTOM_INPUT: argument}).decode()
    return Message(role="assistant", tool_calls=(ToolCall(call_id, name, arguments),))


def _shell(item: Fields, bounds: Bounds) -> Message:
    call_id = item.needed_text("call_id", longest=bounds.max_id_chars)
    arguments = encode(item.needed_object("action").values).decode()
    return Message(role="assistant", tool_calls=(ToolCall(call_id, "local_shell", arguments),))


def _content(item: Fields, name: str, role: str, bounds: Bounds) -> tuple[Part, ...]:
    value = item.get(name)
    if value is None:
        return ()
    if isinstance(value, str):
        return (TextPart(value),) if value else ()
    if not isinstance(value, list):
        refuse(item.at(name), "it must be a string or a list of parts")
    made = role == "assistant" and is_output(item)
    parts = (_part(part, role, bounds, made=made) for part in item.objects(name, longest=bounds.max_parts))
    return tuple(part for part in parts if not isinstance(part, TextPart) or part.text)


def _part(part: Fields, role: str, bounds: Bounds, *, made: bool) -> Part:
    kind = part.text("type")
    if kind is not None and kind not in _KNOWN_PARTS:
        return _unknown_part(part, made=made)
    if kind == "input_audio":
        cannot_honour(part.at("type"), "the model does not accept audio; send text")
    if kind is None or kind not in _PARTS_OF[role]:
        refuse(part.at("type"), f"a part of {role} content must be one of " + ", ".join(_PARTS_OF[role]))
    if kind == "input_image":
        if part.get("image_url") is None and part.get("file_id") is not None:
            cannot_honour(part.at("file_id"), "uploaded files are not supported; send image_url as a data: URL")
        return read_image(part, bounds)
    if kind == "input_file":
        if part.get("file_data") is None and part.get("file_url") is not None:
            cannot_honour(part.at("file_url"), "files are not fetched; send file_data")
        return read_file(part, bounds)
    name = "refusal" if kind == "refusal" else "text"
    text = part.text(name)
    if text is None:
        refuse(part.at(name), "it is missing; send a string")
    return TextPart(text)


def _unknown_part(part: Fields, *, made: bool) -> Part:
    """A part of a type that is newer than we are: its text. Raises InvalidRequest if meaning is lost."""
    text = part.get("text")
    if isinstance(text, str) and text:
        return TextPart(text)
    if not made:
        refuse(part.at("type"), "it is unknown, and the part contains no text to pass on; omit it")
    return TextPart("")


_READERS: dict[str, Callable[[Fields, Bounds], Message]] = {
    "message": _said,
    "function_call": _call,
    "function_call_output": _result,
    "custom_tool_call": _custom_call,
    "custom_tool_call_output": _result,
    "local_shell_call": _shell,
    "local_shell_call_output": _result,
}
_KNOWN = _READERS.keys() | HISTORY.keys()
