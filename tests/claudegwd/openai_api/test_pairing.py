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
        ([USER, legacy_result("f")], "messages[1].name"),
        ([USER, legacy_call("f"), legacy_result("g")], "messages[2].name"),
    ],
    ids=range(5),
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


NOTHING = Message(role="user")


@pytest.mark.parametrize(
    ("history", "paired"),
    [
        # An id that recurs in a later turn is another call's.
        (
            [USER, calls("a"), result("a"), calls("a"), result("a"), calls("a"), result("a")],
            [USER, calls("a"), result("a"), calls("a-2"), result("a-2"), calls("a-3"), result("a-3")],
        ),
        # Two calls of one answer, and their results in the same order.
        ([calls("a", "a"), result("a"), result("a")], [calls("a", "a-2"), result("a"), result("a-2")]),
        # The client uses the name that would be next.
        (
            [calls("a", "a-2"), result("a"), calls("a"), result("a"), result("a-2")],
            [calls("a", "a-2"), result("a"), calls("a-3"), result("a-3"), result("a-2")],
        ),
        # The first result of several is kept, and the messages behind it stay where they are.
        ([calls("a"), result("a"), result("a"), USER], [calls("a"), result("a"), NOTHING, USER]),
        # Ids that the CLI would take for a batch and its calls.
        ([calls("a", "a_2"), result("a"), result("a_2")], [calls("a", "a_2-2"), result("a"), result("a_2-2")]),
        ([calls("a_2", "a"), result("a"), result("a_2")], [calls("a_2", "a-2"), result("a-2"), result("a_2")]),
        ([calls("a_1", "a_2"), result("a_1")], [calls("a_1", "a_2"), result("a_1")]),
        # A call that was given up: the result is the later one's.
        ([calls("a"), USER, calls("a"), result("a")], [calls("a"), USER, calls("a-2"), result("a-2")]),
        # In the Responses API, each call of an answer is an item of its own.
        ([calls("a"), calls("a"), result("a"), result("a")], [calls("a"), calls("a-2"), result("a"), result("a-2")]),
    ],
    ids=range(9),
)
def test_ids_that_recur(history: list[Message], paired: list[Message]) -> None:
    assert pair_calls(history) == tuple(paired)


def test_the_first_result_of_a_legacy_function_is_kept() -> None:
    paired = pair_calls([USER, legacy_call("f"), legacy_result("f"), legacy_result("f")])
    assert paired[2].tool_call_id == paired[1].tool_calls[0].id
    assert paired[3] == NOTHING


def test_what_was_renamed_stays_so_when_the_history_grows() -> None:
    history = [USER, *(message for _ in range(50) for message in (calls("call_0"), result("call_0")))]
    paired = pair_calls(history)
    assert all(pair_calls(history[:length]) == paired[:length] for length in range(len(history)))
    assert len({message.tool_calls[0].id for message in paired[1::2]}) == 50


def test_one_id_for_a_hundred_thousand_calls_takes_no_longer() -> None:
    messages = pair_calls([Message(role="assistant", tool_calls=(ToolCall("a", "f"),) * 100_000)])
    assert len({call.id for call in messages[0].tool_calls}) == 100_000
