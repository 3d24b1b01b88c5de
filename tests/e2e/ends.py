"""How an answer can end, and what a question then costs in upstream requests: a table of docs/claude-cli-notes.md."""

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

# An answer of a real upstream takes longer than this; a quicker one can beat any signal to the CLI.
BRIEF = Pause(0.1)
STREAM_ERROR = Event("error", {"type": "error", "error": {"type": "overloaded_error", "message": "no"}})


def unfinished(text: str) -> ScriptedReply:
    """An answer that is cut inside its first block."""
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
    "a tool nobody declared": ScriptedReply((ToolUse("toolu_1", "none", {}), BRIEF), stop_reason="tool_use"),
}

# Arguments that are no JSON, which the CLI would answer itself.
SLIP = Block(
    {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}},
    ({"type": "input_json_delta", "partial_json": '{"q": "a'},),
)
# How an answer ends where it depends on the model, or might, what the CLI does next; and what the client is told.
ON_EVERY_MODEL: dict[str, tuple[Answer, int, str]] = {
    "a plain end": (say("done"), 200, "stop"),
    "max_tokens": (LAST_EVENTS["max_tokens"], 200, "length"),
    "refusal": (refusal("no"), 200, "content_filter"),
    "a refusal with words": (ScriptedReply((Text(("I",)), BRIEF), stop_reason="refusal"), 200, "content_filter"),
    "arguments that are no JSON": (ScriptedReply((SLIP, BRIEF), stop_reason="tool_use"), 200, "tool_calls"),
    "bad request": (bad_request(), 400, ""),
    "too long": (too_long(), 400, ""),
}

# What is refused is free; the CLI asks twice about a model that is not there, the second time without streaming.
REFUSED: dict[str, tuple[Fail, int, str, int]] = {
    "too long": (too_long(), 400, "context_length_exceeded", 1),
    "too large": (too_large(), 400, "context_length_exceeded", 1),
    "bad request": (bad_request(), 400, "invalid_value", 1),
    "no such model": (no_such_model(), 404, "model_not_found", 2),
}

# By transcript, nothing tells before the end of these that the CLI would go on: only the kill stands between it and its
# next request, and on a busy machine the daemon may get a core too late.
KILL_ALONE = ("no content", "context window", "cut after the first block", "error event after the first block")
# Of these something does, and the retry block goes up; on a busy machine the CLI may take it too late.
BLOCKED = ("max_tokens", "white space", "a tool nobody declared", "arguments that are no JSON")
# How often one of these is tried until it costs one request, and what a try may cost: what comes too late for the next
# request stops the one after it. Every other end has one try and costs one request, by either carrier.
TRIES = dict.fromkeys((*KILL_ALONE, *BLOCKED), 4)
MOST_REQUESTS = 2


def tries(name: str, *, whole: bool) -> int:
    """How often an end is tried until it costs one request."""
    return 1 if whole else TRIES.get(name, 1)


def _cost_by_transcript(name: str) -> str:
    if name not in TRIES:
        return "1"
    by = "kill alone" if name in KILL_ALONE else "retry block"
    return f"1, by the {by}; {MOST_REQUESTS} where that comes too late"


def costs() -> list[tuple[str, str, str]]:
    """Each end; the upstream requests that the question costs by the whole carrier, and by transcript."""
    rows = [
        (name, "1", _cost_by_transcript(name))
        for name in dict.fromkeys((*LAST_EVENTS, *(name for name, end in ON_EVERY_MODEL.items() if end[1] == 200)))
    ]
    rows += [(f"refused: {name}", *[f"{requests}, free"] * 2) for name, (*_, requests) in REFUSED.items()]
    return rows
