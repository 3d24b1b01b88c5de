"""What the CLI writes in the course of a turn, as events: made as lines and decoded, as in the real thing."""

import json
from typing import Any

from claudegwd.claude_cli.events import AnyEvent, decode_event


def event(**line: Any) -> AnyEvent:
    return decode_event(json.dumps(line).encode())


def part(**values: Any) -> AnyEvent:
    return event(type="stream_event", event=values, session_id="s")


def began(model: str = "claude-x", **usage: Any) -> AnyEvent:
    counts = {"input_tokens": 10, "output_tokens": 1, **usage}
    return part(type="message_start", message={"id": "msg_1", "model": model, "usage": counts})


def opened(index: int, kind: str, **fields: Any) -> AnyEvent:
    return part(type="content_block_start", index=index, content_block={"type": kind, **fields})


def call(index: int, ident: str, name: str, **fields: Any) -> AnyEvent:
    return opened(index, "tool_use", id=ident, name=name, **{"input": {}, **fields})


def text(index: int, piece: str) -> AnyEvent:
    return part(type="content_block_delta", index=index, delta={"type": "text_delta", "text": piece})


def thought(index: int, piece: str) -> AnyEvent:
    return part(type="content_block_delta", index=index, delta={"type": "thinking_delta", "thinking": piece})


def signed(index: int, signature: str) -> AnyEvent:
    return part(type="content_block_delta", index=index, delta={"type": "signature_delta", "signature": signature})


def arguments(index: int, piece: str) -> AnyEvent:
    return part(type="content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": piece})


def closed(index: int) -> AnyEvent:
    return part(type="content_block_stop", index=index)


def stopped(reason: str | None, **usage: Any) -> AnyEvent:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return part(type="message_delta", delta=delta, usage={"output_tokens": 7, **usage})


def ended() -> AnyEvent:
    return part(type="message_stop")


def result(**fields: Any) -> AnyEvent:
    return event(type="result", **{"subtype": "success", "is_error": False, "num_turns": 1, **fields})


def api_error(error: str, status: int | None, kind: str | None = None) -> AnyEvent:
    return event(type="assistant", is_api_error_message=True, error=error, api_error_status=status, api_error_type=kind)


def block(index: int, *pieces: str) -> list[AnyEvent]:
    """A whole text block."""
    return [opened(index, "text", text=""), *(text(index, piece) for piece in pieces), closed(index)]


def whole(*blocks: list[AnyEvent], stop: str = "end_turn") -> list[AnyEvent]:
    """A whole turn."""
    middle = [one for each in blocks for one in each]
    return [began(), *middle, stopped(stop), ended(), result()]
