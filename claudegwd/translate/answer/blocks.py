"""The blocks of a running answer, and their final form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from claudegwd.claude_cli.events import ContentBlock
from claudegwd.translate.answer.literals import joined
from claudegwd.translate.answer.outputs import Cited
from claudegwd.translate.arguments import as_object
from claudegwd.translate.request.history import call_id


@dataclass(slots=True)
class OpenBlock:
    """One block and its content. `call` is the number of a client's tool call, from 0."""

    start: ContentBlock
    call: int | None = None
    signature: str = ""
    pieces: list[bytes] = field(default_factory=list)
    citations: list[dict[str, Any]] = field(default_factory=list)  # not yet output
    told: bool = False  # a server tool: its input was output


def cited(block: OpenBlock, blocks: Mapping[int, OpenBlock]) -> list[Cited]:
    """The sources of this text, each page once; output once. Positions are in characters of the whole answer."""
    given, block.citations = block.citations, []
    pages = {
        one["url"]: str(one.get("title") or "")
        for one in given
        if one.get("type") == "web_search_result_location" and isinstance(one.get("url"), str)
    }
    if not pages or block.start.type != "text":
        return []
    start = 0
    for other in blocks.values():
        if other is block:
            break
        start += len(joined(other.pieces)) if other.start.type == "text" else 0
    end = start + len(joined(block.pieces))
    return [Cited(start, end, url, title) for url, title in pages.items()]


def said(blocks: Mapping[int, OpenBlock]) -> tuple[dict[str, Any], ...]:
    """The blocks as the Messages API takes them back, if any is signed thinking; else nothing, as texts suffice."""
    if not any(block.start.type in ("thinking", "redacted_thinking") for block in blocks.values()):
        return ()
    made = [_block(blocks[index]) for index in sorted(blocks)]
    kept = tuple(block for block in made if block is not None)
    return kept if any("thinking" in block["type"] for block in kept) else ()


def _block(block: OpenBlock) -> dict[str, Any] | None:
    start = block.start
    text = joined(block.pieces)
    match start.type:
        case "thinking":
            signature = block.signature or start.signature
            # The text may be empty: newer models can withhold it, and still sign it.
            return {"type": "thinking", "thinking": text, "signature": signature} if signature else None
        case "redacted_thinking":
            return {"type": "redacted_thinking", "data": start.data} if start.data else None
        case "text":
            return {"type": "text", "text": text} if text.strip() else None
        case "tool_use":
            return {"type": "tool_use", "id": call_id(start.id), "name": start.name, "input": as_object(text)}
    return None
