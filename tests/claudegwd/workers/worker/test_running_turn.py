"""What a turn leaves in the transcript."""

import msgspec
import pytest

from claudegwd.claude_cli import events as e
from claudegwd.keys.failures import FailureKind
from claudegwd.translate.answer.outputs import (
    After,
    Failed,
    Finished,
    Output,
    Reasoning,
    Started,
    TextPiece,
    TokenCount,
    ToolStart,
)
from claudegwd.translate.answer.turn import Turn
from claudegwd.translate.request.tools import ToolSet
from claudegwd.workers.worker.output_channel import open_output_channel
from claudegwd.workers.worker.running_turn import RunningTurn

ENDS: list[tuple[Output | None, bool]] = [
    (Finished("stop", TokenCount(), After.KEEP), False),
    (Finished("length", TokenCount(), After.KILL), True),
    (Finished("tool_calls", TokenCount(), After.PARK), True),
    (Failed(FailureKind.RATE_LIMIT, 429, None, None), True),
    (None, True),
]


@pytest.mark.parametrize(("end", "nothing"), ENDS)
def test_only_an_answer_that_may_stay_is_left(end: Output | None, nothing: bool) -> None:
    now = RunningTurn(Turn(ToolSet()), open_output_channel()[0])
    now.answer.add([end] if end is not None else [])
    assert now.leaves_nothing is nothing
    for name in ("abandoned", "cut_back"):
        now.abandoned = now.cut_back = False
        setattr(now, name, True)
        assert now.leaves_nothing


RESULT = msgspec.convert({"type": "result", "subtype": "error"}, e.Result)
STOP = e.StreamEvent(event=e.MessageStop())
ENDED = Finished("length", TokenCount(), After.KILL)
FAILED = Failed(FailureKind.RATE_LIMIT, 429, None, None)


@pytest.mark.parametrize(
    ("last", "event", "asks"),
    [
        (ENDED, STOP, True),
        (Finished("stop", TokenCount(), After.KEEP), STOP, False),
        (Finished("tool_calls", TokenCount(), After.PARK), STOP, False),
        (FAILED, STOP, True),
        (FAILED, RESULT, False),
    ],
)
def test_what_the_cli_would_do_next_is_known_by_how_the_answer_ends(
    last: Output, event: e.AnyEvent, asks: bool
) -> None:
    now = RunningTurn(Turn(ToolSet()), open_output_channel()[0])
    assert now.would_ask_again(last, event) is asks
    for name in ("abandoned", "whole"):
        now.abandoned = now.whole = False
        setattr(now, name, True)
        assert not now.would_ask_again(last, event)
    now.abandoned = now.whole = False
    now.is_blocked = True
    assert not now.would_ask_again(last, event)


def test_a_turn_is_blocked_once_its_question_is_sent() -> None:
    now = RunningTurn(Turn(ToolSet()), open_output_channel()[0])
    assert now.block_is_due_once_sent()
    now.is_blocked = True
    assert not now.block_is_due_once_sent()
    whole = RunningTurn(Turn(ToolSet()), open_output_channel()[0], whole=True)
    assert not whole.block_is_due_once_sent()  # the CLI's budget prevents it


def test_a_whole_request_is_blocked_at_once_and_a_turn_from_its_first_token() -> None:
    now = RunningTurn(Turn(ToolSet()), open_output_channel()[0], whole=True)
    assert now.block_is_due([Started("m")])
    now.whole = False
    assert not now.block_is_due([Started("m")])
    for first in (TextPiece(b'" "'), Reasoning(b'"so"'), ToolStart(0, "toolu_1", "read")):
        assert now.block_is_due([Started("m"), first])
    now.is_blocked = True
    assert not now.block_is_due([TextPiece(b'"x"')])
    now.whole = True
    assert not now.block_is_due([Started("m")])
