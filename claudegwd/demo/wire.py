"""Anthropic's streaming Messages format: a ScriptedReply becomes the frames of a response body, a Fail its error body.

Pure: a frame is either bytes (exactly one SSE event) or an action between two events. Source: the streaming chapter of
Anthropic's Messages API, and what the CLI accepts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from claudegwd.demo.script import (
    Block,
    Drop,
    Event,
    Fail,
    Garbage,
    Pause,
    ScriptedReply,
    ScriptedUsage,
    Step,
    Text,
    Thinking,
    ToolUse,
    Wait,
)

Frame = bytes | Pause | Wait | Drop
JsonObject = Mapping[str, Any]

_dumps = json.JSONEncoder(separators=(",", ":")).encode


def _encode(value: object) -> bytes:
    # Not msgspec: a lone surrogate that the CLI sent as an escape must be returned as one.
    return _dumps(value).encode()


def sse(name: str, data: JsonObject) -> bytes:
    """One server-sent event."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), _encode(data))


def error_body(fail: Fail, request_id: str) -> bytes:
    if fail.body is not None:
        return fail.body
    error = {"type": fail.error_type, "message": fail.message}
    return _encode({"type": "error", "error": error, "request_id": request_id})


def stream_frames(reply: ScriptedReply, *, model: str, message_id: str) -> Iterator[Frame]:
    """The frames of a streamed answer, in order."""
    if reply.envelope:
        yield sse("message_start", {"type": "message_start", "message": _message(reply, model, message_id)})
    index = 0
    for step in reply.steps:
        if isinstance(step, (Pause, Wait, Drop)):
            yield step
        elif isinstance(step, Garbage):
            yield step.data
        elif isinstance(step, Event):
            yield sse(step.name, step.data)
        else:
            yield from _block_frames(index, step)
            index += 1
    if reply.envelope:
        delta = {"stop_reason": reply.stop_reason, "stop_sequence": reply.stop_sequence}
        yield sse("message_delta", {"type": "message_delta", "delta": delta, "usage": final_usage(reply.usage)})
        yield sse("message_stop", {"type": "message_stop"})


def counts_in(frame: bytes) -> dict[str, int]:
    """The token counts in an event of `stream_frames`; {} if it has none."""
    name, _, rest = frame.partition(b"\n")
    if name not in (b"event: message_start", b"event: message_delta"):
        return {}
    data = json.loads(rest.removeprefix(b"data: "))
    usage = data.get("message", data)["usage"]
    return {name: count for name, count in usage.items() if isinstance(count, int)}


def whole_message(reply: ScriptedReply, *, model: str, message_id: str) -> bytes:
    """The answer to a request with `stream` false: the same content in one body."""
    message = _message(reply, model, message_id)
    message["content"] = [
        _whole_block(s) for s in reply.steps if not isinstance(s, (Pause, Wait, Drop, Garbage, Event))
    ]
    message |= {"stop_reason": reply.stop_reason, "stop_sequence": reply.stop_sequence}
    message["usage"] = final_usage(reply.usage)
    return _encode(message)


def final_usage(usage: ScriptedUsage) -> dict[str, Any]:
    counts = _start_usage(usage) | {"output_tokens": usage.output_tokens}
    if usage.thinking_tokens:
        counts["output_tokens_details"] = {"thinking_tokens": usage.thinking_tokens}
    return counts


def _start_usage(usage: ScriptedUsage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_creation,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": 1,  # the real service always writes 1 here; the true count comes at the end
    }


def _message(reply: ScriptedReply, model: str, message_id: str) -> dict[str, Any]:
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _start_usage(reply.usage),
    }


def _block_frames(index: int, step: Step) -> Iterator[Frame]:
    start, deltas, gap = _block(step)
    yield sse("content_block_start", {"type": "content_block_start", "index": index, "content_block": start})
    for number, delta in enumerate(deltas):
        if number and gap:
            yield Pause(gap)
        yield sse("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta})
    yield sse("content_block_stop", {"type": "content_block_stop", "index": index})


def _block(step: Step) -> tuple[JsonObject, list[JsonObject], float]:
    """The block's initial form, its deltas, and the seconds between deltas."""
    match step:
        case Text(parts, gap):
            return {"type": "text", "text": ""}, [{"type": "text_delta", "text": part} for part in parts], gap
        case Thinking(parts, signature, gap):
            deltas: list[JsonObject] = [{"type": "thinking_delta", "thinking": part} for part in parts]
            deltas.append({"type": "signature_delta", "signature": signature})
            return {"type": "thinking", "thinking": "", "signature": ""}, deltas, gap
        case ToolUse(id_, name, input_, pieces, gap):
            cuts = _cut(_encode(input_).decode(), pieces)
            start = {"type": "tool_use", "id": id_, "name": name, "input": {}}
            return start, [{"type": "input_json_delta", "partial_json": piece} for piece in cuts], gap
        case Block(start_, deltas_):
            return start_, list(deltas_), 0.0
    raise TypeError(f"cannot stream a step of type {type(step).__name__}: only content blocks have deltas")


def _whole_block(step: Step) -> JsonObject:
    match step:
        case Text(parts):
            return {"type": "text", "text": "".join(parts)}
        case Thinking(parts, signature):
            return {"type": "thinking", "thinking": "".join(parts), "signature": signature}
        case ToolUse(id_, name, input_):
            return {"type": "tool_use", "id": id_, "name": name, "input": dict(input_)}
        case Block(start):
            return start
    raise TypeError(f"cannot write a step of type {type(step).__name__} as a content block")


def _cut(text: str, pieces: int) -> list[str]:
    """The text in at most `pieces` non-empty parts of equal length."""
    size = max(1, -(-len(text) // max(1, pieces)))
    return [text[i : i + size] for i in range(0, len(text), size)]
