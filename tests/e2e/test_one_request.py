"""One question costs one upstream request, also where the CLI, left alone, would go on by itself."""

from __future__ import annotations

import pytest

from claudegwd.demo.replies import refusal, say
from claudegwd.demo.script import (
    Answer,
    Drop,
    Event,
    Pause,
    Reply,
    Step,
    Text,
    ToolUse,
    bad_request,
    no_such_model,
    too_large,
    too_long,
)
from tests.e2e.harness import MODEL, Messages, Running

pytestmark = pytest.mark.cli

HISTORY: Messages = [
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": "one"},
    {"role": "user", "content": "second"},
]
# An answer of a real upstream takes longer than this; a quicker one can beat any signal to the CLI.
BRIEF = Pause(0.1)
STREAM_ERROR = Event("error", {"type": "error", "error": {"type": "overloaded_error", "message": "no"}})


def unfinished(text: str) -> Reply:
    """An answer that is cut inside its first block."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [], "usage": usage}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    events = ({"type": "message_start", "message": message}, block, delta)
    steps: tuple[Step, ...] = tuple(Event(str(event["type"]), event) for event in events)
    return Reply((*steps, BRIEF, Drop()), envelope=False)


LAST_EVENTS: dict[str, Answer] = {
    "a plain end": say("done"),
    "max_tokens": Reply((Text(("cut",)), BRIEF), stop_reason="max_tokens"),
    "context window": Reply((Text(("cut",)), BRIEF), stop_reason="model_context_window_exceeded"),
    "no content": Reply((BRIEF,)),
    "white space": Reply((Text((" ",)), BRIEF)),
    "refusal": refusal("no"),
    "pause_turn": Reply((Text(("wait",)), BRIEF), stop_reason="pause_turn"),
    "cut in the first block": unfinished("half"),
    "cut after the first block": Reply((Text(("whole",)), BRIEF, Drop())),
    "error event after the first block": Reply((Text(("whole",)), BRIEF, STREAM_ERROR)),
    "a tool nobody declared": Reply((ToolUse("toolu_1", "none", {}), BRIEF), stop_reason="tool_use"),
}


@pytest.mark.parametrize("name", LAST_EVENTS)
async def test_however_the_answer_ends(gateway: Running, name: str) -> None:
    gateway.endpoint.script = lambda _: LAST_EVENTS[name]
    response = await gateway.post({"model": MODEL, "messages": HISTORY})
    assert response.status_code == (503 if "block" in name else 200)
    await gateway.until_workers(busy=0)
    assert gateway.endpoint.count == 1
    assert list(gateway.endpoint.strays).count("POST /v1/messages/count_tokens") == 0


# What is refused is free; the CLI asks twice about a model that is not there, the second time without streaming.
REFUSED = {
    "too long": (too_long(), 400, "context_length_exceeded", 1),
    "too large": (too_large(), 400, "context_length_exceeded", 1),
    "bad request": (bad_request(), 400, "invalid_value", 1),
    "no such model": (no_such_model(), 404, "model_not_found", 2),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_upstream_refuses_is_not_asked_again(gateway: Running, name: str) -> None:
    failure, status, code, requests = REFUSED[name]
    gateway.endpoint.script = lambda _: failure
    error = await gateway.refused(HISTORY)
    assert (error.status_code, error.code) == (status, code)
    assert gateway.endpoint.count <= requests
