"""The blocks of an answer, as a replay has to give them back."""

from claudegwd.claude_cli.events import AnyEvent
from claudegwd.translate.answer.outputs import Finished
from claudegwd.translate.answer.turn import Turn
from claudegwd.translate.request.tools import ToolSet
from tests.claudegwd.translate.upstream import arguments, block, call, closed, opened, signed, thought, whole


def last(events: list[AnyEvent]) -> Finished:
    turn = Turn(ToolSet((), {"read": "read"}))
    finished = [output for one in events for output in turn.feed(one)][-1]
    assert isinstance(finished, Finished)
    return finished


SIGNED = [opened(0, "thinking", thinking="", signature=""), thought(0, "h"), thought(0, "m"), signed(0, "c2ln")]


def test_the_blocks_of_an_answer_with_signed_thinking() -> None:
    redacted = [opened(1, "redacted_thinking", data="ZGF0YQ==")]
    calls = [call(3, "toolu_1", "read"), arguments(3, '{"a":1}'), closed(3)]
    assert last(whole(SIGNED, redacted, block(2, "I", " will"), calls, stop="tool_use")).said == (
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZGF0YQ=="},
        {"type": "text", "text": "I will"},
        {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"a": 1}},
    )


def test_thinking_that_is_kept_to_itself_is_signed_all_the_same() -> None:
    thinking = [opened(0, "thinking", thinking="", signature=""), signed(0, "c2"), signed(0, "ln"), closed(0)]
    assert last(whole(thinking, block(1, "x"))).said[0] == {
        "type": "thinking",
        "thinking": "",
        "signature": "c2ln",
    }


def test_an_answer_without_signatures_needs_nothing() -> None:
    unsigned = [opened(0, "thinking", thinking="", signature=""), thought(0, "hm"), closed(0)]
    assert last(whole(block(0, "Hello"))).said == ()
    assert last(whole(unsigned, block(1, "x"))).said == ()


def test_empty_blocks_are_left_out() -> None:
    said = last(whole(SIGNED, block(1, "\n"), [opened(2, "server_tool_use", id="s", name="n")])).said
    assert [one["type"] for one in said] == ["thinking"]
