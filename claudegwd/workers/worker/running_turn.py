"""One turn on a worker, from its question until the CLI has ended it on its side."""

from dataclasses import dataclass, field

import trio

from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.outputs import After
from claudegwd.translate.answer.turn import Turn
from claudegwd.workers.worker.output_channel import OutputSender
from claudegwd.workers.worker.retry_block import RetryBlock


@dataclass(slots=True, eq=False)
class RunningTurn:
    """`kept`: entries of the transcript before the question, which stay when the turn is cut back.

    `settled` is set once the CLI's `result` has come, or never will. `abandoned`: nobody reads the rest. `cut_back`:
    the turn leaves nothing in the transcript that may stay. `last_use`: nor can it be cut back.
    """

    turn: Turn
    outputs: OutputSender
    retry_block: RetryBlock
    kept: int = 0
    last_use: bool = False
    answer: Answer = field(default_factory=Answer)
    settled: trio.Event = field(default_factory=trio.Event)
    abandoned: bool = False
    cut_back: bool = False

    @property
    def leaves_nothing(self) -> bool:
        """Whether the transcript has to go back to where it was before the question."""
        finished = self.answer.finished
        return self.cut_back or self.abandoned or finished is None or finished.after is not After.KEEP
