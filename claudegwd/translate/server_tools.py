"""Tools that run upstream: what is reported of their calls and results."""

from typing import Any

import msgspec

from claudegwd.claude_cli.events import ContentBlock
from claudegwd.translate.answer.blocks import OpenBlock
from claudegwd.translate.answer.literals import joined
from claudegwd.translate.answer.outputs import ServerToolInput, ServerToolResult
from claudegwd.translate.arguments import as_object

# Per search; the upstream's own returns ten.
MAX_PAGES = 100


def server_input(block: OpenBlock) -> tuple[ServerToolInput, ...]:
    """The tool's input, once the block is complete; output once."""
    if block.told:
        return ()
    block.told = True
    text = joined(block.pieces) or bytes(block.start.input).decode("utf-8", "replace")
    return (ServerToolInput(block.start.id, as_object(text)),)


def server_result(block: ContentBlock) -> ServerToolResult:
    """Its result; such blocks are complete from the start."""
    try:
        content: Any = msgspec.json.decode(block.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        content = None  # half of a surrogate pair in a title; cited pages come with the text
    found = content if isinstance(content, list) else ()
    pages = [one["url"] for one in found if isinstance(one, dict) and isinstance(one.get("url"), str)]
    failed = isinstance(content, dict) and "error_code" in content
    return ServerToolResult(block.tool_use_id, tuple(pages[:MAX_PAGES]), failed)
