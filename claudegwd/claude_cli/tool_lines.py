"""Lines about the CLI's own tools: permission requests, calls and results."""

from typing import Any

import msgspec

Raw = msgspec.Raw


class ToolAsked(msgspec.Struct, frozen=True):
    """The control request `can_use_tool`: the CLI waits for `allow` or `deny`."""

    request_id: str
    tool: str
    given: dict[str, Any]
    ident: str = ""  # of the call


class ToolCalled(msgspec.Struct, frozen=True):
    """A call, once the model has finished writing it."""

    ident: str
    tool: str
    given: dict[str, Any]


class ToolReturned(msgspec.Struct, frozen=True):
    """The result of a call; `text` begins with "Exit code N" for a command that failed."""

    ident: str
    failed: bool
    text: str


class _Request(msgspec.Struct):
    subtype: str = ""
    tool_name: str = ""
    tool_use_id: str = ""
    input: dict[str, Any] = msgspec.field(default_factory=dict)


class _Block(msgspec.Struct):
    type: str = ""
    id: str = ""
    name: str = ""
    input: dict[str, Any] = msgspec.field(default_factory=dict)
    tool_use_id: str = ""
    is_error: bool | None = False
    content: Any = ""


class _Message(msgspec.Struct):
    content: list[_Block] | str = ""


class _Line(msgspec.Struct):
    type: str = ""
    request_id: str = ""
    request: _Request | None = None
    message: _Message | None = None


_decode = msgspec.json.Decoder(_Line).decode


def tool_lines(line: bytes) -> list[ToolAsked | ToolCalled | ToolReturned]:
    """What a line says about tools; [] for any other."""
    try:
        found = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    if found.type == "control_request" and found.request is not None and found.request.subtype == "can_use_tool":
        asked = found.request
        return [ToolAsked(found.request_id, asked.tool_name, asked.input, asked.tool_use_id)]
    if found.message is None or isinstance(found.message.content, str):
        return []
    blocks = found.message.content
    if found.type == "assistant":
        return [ToolCalled(block.id, block.name, block.input) for block in blocks if block.type == "tool_use"]
    if found.type == "user":
        return [
            ToolReturned(block.tool_use_id, block.is_error is True, _text(block.content))
            for block in blocks
            if block.type == "tool_result"
        ]
    return []


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "".join(str(block.get("text", "")) for block in blocks if isinstance(block, dict))
