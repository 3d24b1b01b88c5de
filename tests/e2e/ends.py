"""The ways an answer can end, and the upstream requests each costs: a table in docs/claude-cli-notes.md."""

from __future__ import annotations

from dataclasses import replace

from claudegwd.demo.replies import refusal, say
from claudegwd.demo.script import (
    Answer,
    Block,
    Drop,
    Event,
    Fail,
    Pause,
    ScriptedReply,
    Step,
    Text,
    ToolUse,
    bad_request,
    no_such_model,
    too_large,
    too_long,
)
from tests.e2e.harness import MODEL

# A real model takes longer to begin an answer. A quicker one can end before the CLI has read any signal of ours.
THINKS = (Pause(0.2),)
# Between the last bytes and the end of a connection: bytes that come together with the end may be lost.
BRIEF = Pause(0.1)
STREAM_ERROR = Event("error", {"type": "error", "error": {"type": "overloaded_error", "message": "no"}})


def unfinished(text: str) -> ScriptedReply:
    """An answer that is cut off inside its first block."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [], "usage": usage}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    events = ({"type": "message_start", "message": message}, block, delta)
    steps: tuple[Step, ...] = tuple(Event(str(event["type"]), event) for event in events)
    return ScriptedReply((*steps, BRIEF, Drop()), envelope=False, before=THINKS)


LAST_EVENTS: dict[str, Answer] = {
    "a plain end": say("done"),
    "max_tokens": ScriptedReply((Text(("cut",)),), stop_reason="max_tokens", before=THINKS),
    "context window": ScriptedReply((Text(("cut",)),), stop_reason="model_context_window_exceeded", before=THINKS),
    "no content": ScriptedReply(before=THINKS),
    "white space": ScriptedReply((Text((" ",)),), before=THINKS),
    "refusal": refusal("no"),
    "pause_turn": ScriptedReply((Text(("wait",)),), stop_reason="pause_turn"),
    "cut in the first block": unfinished("half"),
    "cut after the first block": ScriptedReply((Text(("whole",)), BRIEF, Drop()), before=THINKS),
    "error event after the first block": ScriptedReply((Text(("whole",)), STREAM_ERROR), before=THINKS),
    "an undeclared tool": ScriptedReply((ToolUse("toolu_1", "none", {}),), stop_reason="tool_use", before=THINKS),
}

# Arguments that are not JSON: the CLI would answer such a call itself.
SLIP = Block(
    {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}},
    ({"type": "input_json_delta", "partial_json": '{"q": "a'},),
)
# Ends after which the CLI's next step depends, or might depend, on the model; with what the client is told.
ON_EVERY_MODEL: dict[str, tuple[Answer, int, str]] = {
    "a plain end": (say("done"), 200, "stop"),
    "max_tokens": (LAST_EVENTS["max_tokens"], 200, "length"),
    "refusal": (refusal("no"), 200, "content_filter"),
    "a refusal with text": (ScriptedReply((Text(("I",)),), stop_reason="refusal"), 200, "content_filter"),
    "arguments that are not JSON": (ScriptedReply((SLIP,), stop_reason="tool_use", before=THINKS), 200, "tool_calls"),
    "bad request": (bad_request(), 400, ""),
    "too long": (too_long(), 400, ""),
}

# Rejected requests are free; what the client is told, and the requests by the whole carrier and by transcript. For an
# unknown model the CLI sends a second one, without streaming, unless it is blocked.
REFUSED: dict[str, tuple[Fail, int, str, int, int]] = {
    "too long": (too_long(), 400, "context_length_exceeded", 1, 1),
    "too large": (too_large(), 400, "context_length_exceeded", 1, 1),
    "bad request": (bad_request(), 400, "invalid_value", 1, 1),
    "no such model": (replace(no_such_model(), before=THINKS), 404, "model_not_found", 2, 1),
}

# By transcript, here the retry block prevents another request.
BLOCKED = (
    "max_tokens", "context window", "no content", "white space", "cut after the first block",
    "error event after the first block", "an undeclared tool", "arguments that are not JSON",
)  # fmt: skip


def costs() -> list[tuple[str, str, str]]:
    """Each end, with its upstream requests by the whole carrier and by transcript."""
    rows = [
        (name, "1", "1, by the retry block" if name in BLOCKED else "1")
        for name in dict.fromkeys((*LAST_EVENTS, *(name for name, end in ON_EVERY_MODEL.items() if end[1] == 200)))
    ]
    rows += [(f"refused: {name}", f"{whole}, free", f"{turns}, free") for name, (*_, whole, turns) in REFUSED.items()]
    return rows
