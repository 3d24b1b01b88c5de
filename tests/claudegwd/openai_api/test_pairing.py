"""Calls and results of a history: in any order, each once, none without its call."""

import pytest

from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.openai_api.messages import Message, TextPart, ToolCall
from claudegwd.openai_api.pairing import pair_calls

USER = Message(role="user", content=(TextPart("Hi"),))


def calls(*idents: str) -> Message:
    return Message(role="assistant", tool_calls=tuple(ToolCall(ident, "f") for ident in idents))


def result(ident: str) -> Message:
    return Message(role="tool", tool_call_id=ident)


def legacy_call(name: str) -> Message:
    return Message(role="assistant", tool_calls=(ToolCall("", name, '{"a": 1}'),))


def legacy_result(name: str) -> Message:
    return Message(role="function", name=name)


@pytest.mark.parametrize(
    "history",
    [
        [USER],
        [USER, calls("a", "b"), result("b"), result("a")],
        [USER, calls("a", "b"), result("b"), USER],
        [USER, calls("a"), USER, result("a")],
        [USER, calls("a"), result("a"), calls("b"), result("b"), USER],
        [USER, calls("a"), USER],
    ],
    ids=range(6),
)
def test_sound_histories_stay_as_they_are(history: list[Message]) -> None:
    assert pair_calls(history) == tuple(history)


@pytest.mark.parametrize(
    ("history", "param"),
    [
        ([result("a")], "messages[0].tool_call_id"),
        ([USER, calls("a"), result("b")], "messages[2].tool_call_id"),
        ([USER, result("a"), calls("a")], "messages[1].tool_call_id"),
        ([USER, calls("a"), result("a"), result("a")], "messages[3].tool_call_id"),
        ([USER, calls("a", "a")], "messages[1].tool_calls[1].id"),
        ([USER, calls("a"), result("a"), calls("b", "a")], "messages[3].tool_calls[1].id"),
        ([USER, legacy_result("f")], "messages[1].name"),
        ([USER, legacy_call("f"), legacy_result("g")], "messages[2].name"),
        ([USER, legacy_call("f"), legacy_result("f"), legacy_result("f")], "messages[3].name"),
    ],
    ids=range(9),
)
def test_what_does_not_belong_together_is_named(history: list[Message], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        pair_calls(history)
    assert caught.value.param == param


def test_legacy_calls_get_ids_that_are_the_same_next_time() -> None:
    history = [USER, legacy_call("f"), legacy_result("f"), legacy_call("f"), legacy_result("f")]
    paired = pair_calls(history)
    assert paired == pair_calls(history)
    assert [message.tool_calls[0].id for message in paired[1::2]] == [m.tool_call_id for m in paired[2::2]]
    assert paired[1].tool_calls[0].id != paired[3].tool_calls[0].id
    assert paired[1].tool_calls[0].arguments == '{"a": 1}'


def test_results_may_come_in_large_numbers() -> None:
    idents = [f"call_{number}" for number in range(500)]
    history = [USER, calls(*idents), *map(result, reversed(idents))]
    assert len(pair_calls(history)) == 502
