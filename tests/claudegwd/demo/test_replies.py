from __future__ import annotations

from typing import Any

import pytest

from claudegwd.demo.replies import by_key, echo, last_user_text, obey, refusal, say, sequence
from claudegwd.demo.script import Answer, Fail, ScriptedReply, Text, overloaded
from tests.claudegwd.demo.requests import recorded


def text_of(answer: Answer) -> str:
    assert isinstance(answer, ScriptedReply)
    return "".join(part for step in answer.steps if isinstance(step, Text) for part in step.parts)


def test_a_sequence_stays_at_its_last_answer() -> None:
    script = sequence(say("one"), overloaded(), echo())
    assert text_of(script(recorded())) == "one"
    assert isinstance(script(recorded()), Fail)
    assert text_of(script(recorded("three"))) == "three"
    assert text_of(script(recorded("four"))) == "four"


def test_an_empty_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot script an empty sequence"):
        sequence()


def test_the_key_chooses_the_answer() -> None:
    script = by_key({"sk-false-1": say("one"), "sk-false-2": echo()})
    assert text_of(script(recorded())) == "one"
    assert text_of(script(recorded("two", key="sk-false-2"))) == "two"
    unknown = script(recorded(key=None))
    assert isinstance(unknown, Fail)
    assert unknown.status == 401
    assert text_of(by_key({}, say("else"))(recorded())) == "else"


@pytest.mark.parametrize(
    ("limits", "text", "reason", "stop"),
    [
        ({}, "one two three", "end_turn", None),
        ({"max_tokens": 2}, "one two ", "max_tokens", None),
        ({"max_tokens": 4}, "one two three", "end_turn", None),
        ({"max_tokens": 0}, "", "max_tokens", None),
        ({"stop_sequences": [" two", "three"]}, "one", "stop_sequence", " two"),
        ({"stop_sequences": ["four", ""]}, "one two three", "end_turn", None),
        ({"stop_sequences": ["three"], "max_tokens": 1}, "one ", "max_tokens", None),
        ({"stop_sequences": "two", "max_tokens": "1"}, "one two three", "end_turn", None),
    ],
)
def test_obey(limits: dict[str, Any], text: str, reason: str, stop: str | None) -> None:
    reply = obey(recorded(**limits), "one two three", part_characters=3)
    assert text_of(reply) == text
    assert (reply.stop_reason, reply.stop_sequence) == (reason, stop)


def test_the_last_user_text_joins_blocks_and_skips_what_is_no_text() -> None:
    blocks = [{"type": "text", "text": "a"}, {"type": "image"}, 3, {"type": "text", "text": None}]
    assert last_user_text(recorded(blocks)) == "a"
    assert last_user_text(recorded(messages=[])) == ""


def test_a_refusal_may_be_silent() -> None:
    assert refusal().steps == ()
    assert refusal("no").stop_reason == "refusal"
