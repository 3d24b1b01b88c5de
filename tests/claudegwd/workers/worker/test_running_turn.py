"""What a turn leaves in the transcript."""

import pytest

from claudegwd.keys.failures import FailureKind
from claudegwd.translate.answer.outputs import After, Failed, Finished, Output, TokenCount
from claudegwd.translate.answer.turn import Turn
from claudegwd.translate.request.tools import ToolSet
from claudegwd.workers.worker.output_channel import open_output_channel
from claudegwd.workers.worker.retry_block import RetryBlock
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
    now = RunningTurn(Turn(ToolSet()), open_output_channel()[0], RetryBlock(None))
    now.answer.add([end] if end is not None else [])
    assert now.leaves_nothing is nothing
    for name in ("abandoned", "cut_back"):
        now.abandoned = now.cut_back = False
        setattr(now, name, True)
        assert now.leaves_nothing
