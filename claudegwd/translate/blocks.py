"""The blocks of an answer under way, and what they are in the end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from claudegwd.claude_cli.events import ContentBlock
from claudegwd.translate.arguments import as_object
from claudegwd.translate.history import call_id
from claudegwd.translate.literals import joined


@dataclass(slots=True)
class OpenBlock:
    """One block, with what came of it. `call` is the number of a client's tool call, from 0."""

    start: ContentBlock
    call: int | None = None
    signature: str = ""
    pieces: list[bytes] = field(default_factory=list)


def said(blocks: Mapping[int, OpenBlock]) -> tuple[dict[str, Any], ...]:
    """The blocks as the Messages API takes them back, if any is signed thinking; else nothing, as texts will do."""
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
            # The text may be empty: newer models can keep it to themselves, and sign it all the same.
            return {"type": "thinking", "thinking": text, "signature": signature} if signature else None
        case "redacted_thinking":
            return {"type": "redacted_thinking", "data": start.data} if start.data else None
        case "text":
            return {"type": "text", "text": text} if text.strip() else None
        case "tool_use":
            return {"type": "tool_use", "id": call_id(start.id), "name": start.name, "input": as_object(text)}
    return None
