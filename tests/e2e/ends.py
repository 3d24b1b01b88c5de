"""The ways an answer can end, and the upstream requests each costs: a table in docs/claude-cli-notes.md."""

from __future__ import annotations

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

# Answers of a real upstream take longer than this; a quicker one can beat any signal to the CLI.
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
    return ScriptedReply((*steps, BRIEF, Drop()), envelope=False)


LAST_EVENTS: dict[str, Answer] = {
    "a plain end": say("done"),
    "max_tokens": ScriptedReply((Text(("cut",)), BRIEF), stop_reason="max_tokens"),
    "context window": ScriptedReply((Text(("cut",)), BRIEF), stop_reason="model_context_window_exceeded"),
    "no content": ScriptedReply((BRIEF,)),
    "white space": ScriptedReply((Text((" ",)), BRIEF)),
    "refusal": refusal("no"),
    "pause_turn": ScriptedReply((Text(("wait",)), BRIEF), stop_reason="pause_turn"),
    "cut in the first block": unfinished("half"),
    "cut after the first block": ScriptedReply((Text(("whole",)), BRIEF, Drop())),
    "error event after the first block": ScriptedReply((Text(("whole",)), BRIEF, STREAM_ERROR)),
    "an undeclared tool": ScriptedReply((ToolUse("toolu_1", "none", {}), BRIEF), stop_reason="tool_use"),
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
    "a refusal with text": (ScriptedReply((Text(("I",)), BRIEF), stop_reason="refusal"), 200, "content_filter"),
    "arguments that are not JSON": (ScriptedReply((SLIP, BRIEF), stop_reason="tool_use"), 200, "tool_calls"),
    "bad request": (bad_request(), 400, ""),
    "too long": (too_long(), 400, ""),
}

# Rejected requests are free. For an unknown model the CLI sends two, the second without streaming.
REFUSED: dict[str, tuple[Fail, int, str, int]] = {
    "too long": (too_long(), 400, "context_length_exceeded", 1),
    "too large": (too_large(), 400, "context_length_exceeded", 1),
    "bad request": (bad_request(), 400, "invalid_value", 1),
    "no such model": (no_such_model(), 404, "model_not_found", 2),
}

# By transcript, the retry block is set at the first token. This end has none: only the kill prevents the CLI's next
# request, and on a busy machine the daemon may get a core too late.
KILL_ALONE = ("no content",)
# Here the retry block prevents it; the CLI may read that too late if the answer lasts less than some 20 ms.
BLOCKED = (
    "max_tokens", "context window", "white space", "cut after the first block", "error event after the first block",
    "an undeclared tool", "arguments that are not JSON",
)  # fmt: skip
# How often one of these is tried until it costs one request, and what a try may cost: what is too late for the second
# request still stops the third. Every other end gets one try and costs one request, by either carrier.
TRIES = dict.fromkeys((*KILL_ALONE, *BLOCKED), 4)
MOST_REQUESTS = 2


def tries(name: str, *, whole: bool) -> int:
    """How many tries an end gets to cost one request."""
    return 1 if whole else TRIES.get(name, 1)


def _cost_by_transcript(name: str) -> str:
    if name not in TRIES:
        return "1"
    by = "kill alone" if name in KILL_ALONE else "retry block"
    return f"1, by the {by}; {MOST_REQUESTS} if that comes too late"


def costs() -> list[tuple[str, str, str]]:
    """Each end, with its upstream requests by the whole carrier and by transcript."""
    rows = [
        (name, "1", _cost_by_transcript(name))
        for name in dict.fromkeys((*LAST_EVENTS, *(name for name, end in ON_EVERY_MODEL.items() if end[1] == 200)))
    ]
    rows += [(f"refused: {name}", *[f"{requests}, free"] * 2) for name, (*_, requests) in REFUSED.items()]
    return rows
