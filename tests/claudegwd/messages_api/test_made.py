"""A message made of outputs is read back by who reads the upstream's own."""

import json
from typing import Any

import pytest

from claudegwd.messages_api.assemble import message_body
from claudegwd.messages_api.made import SIGNATURE, Event, MadeMessage, without_made
from claudegwd.openai_api.usage import Usage

THINKING = {"type": "thinking", "thinking": "Read a.py\n", "signature": SIGNATURE}


def assembled(events: list[Event]) -> Any:
    assert all(json.loads(raw)["type"] == name for name, raw in events)
    return json.loads(message_body(raw for _, raw in events))


def test_blocks_change_where_the_kind_does() -> None:
    made = MadeMessage("msg_1", "sonnet")
    events = made.opening()
    for piece in (b'"One"', b'" two."'):
        events += made.text(piece)
    for piece in (b'"Read "', b'"\\ud83d\\ude00.py\\n"'):
        events += made.thinking(piece)
    events += made.text(b'"Three."')
    events += made.tool_start("toolu_1", "look")
    events += made.tool_arguments(b'"{\\"a\\":"') + made.tool_arguments(b'"1}"')
    events += made.finish("tool_calls", Usage(100, 7, cached_tokens=60, written_tokens=30))
    message = assembled(events)
    assert message["content"] == [
        {"type": "text", "text": "One two."},
        {"type": "thinking", "thinking": "Read 😀.py\n", "signature": SIGNATURE},
        {"type": "text", "text": "Three."},
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"a": 1}},
    ]
    assert (message["id"], message["model"], message["role"]) == ("msg_1", "sonnet", "assistant")
    assert message["stop_reason"] == "tool_use"
    assert message["usage"] == {
        "input_tokens": 10, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 60, "output_tokens": 7,
    }  # fmt: skip


@pytest.mark.parametrize(("reason", "told"), [("stop", "end_turn"), ("length", "max_tokens")])
def test_how_it_ended(reason: str, told: str) -> None:
    made = MadeMessage("msg_1", "sonnet")
    message = assembled([*made.opening(), *made.finish(reason, Usage())])
    assert (message["stop_reason"], message["content"]) == (told, [])


def test_what_was_made_is_left_out_of_a_history() -> None:
    own = {"type": "thinking", "thinking": "Hm", "signature": "c2lnbmF0dXJl"}
    text = {"type": "text", "text": "Yes."}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [THINKING, text]},
        {"role": "assistant", "content": [THINKING]},
        {"role": "assistant", "content": [own, text]},
    ]
    kept = without_made(messages)
    assert [message["content"] for message in kept] == ["x", [text], [own, text]]
    assert messages[1]["content"] == [THINKING, text]  # the client's own is as it was
    plain = messages[:1]
    assert without_made(plain) is plain
