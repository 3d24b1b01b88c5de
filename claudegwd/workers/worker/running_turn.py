"""One turn of a worker, from its question until the CLI has ended it: what it has produced, and what must happen to the
process as a result."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from claudegwd.claude_cli import events as e
from claudegwd.keys.failures import FailureKind
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.outputs import After, Failed, Finished, Output, Started
from claudegwd.translate.answer.turn import Turn
from claudegwd.workers.worker.output_channel import OutputSender


@dataclass(slots=True, eq=False)
class RunningTurn:
    """`whole`: the question is a whole request. `kept`: how many transcript entries before the question stay when the
    turn is cut back.

    `settled` is set once the CLI's `result` has come, or never will. `is_blocked`: the CLI is kept from asking upstream
    again. `abandoned`: the rest is not read. `cut_back`: what the turn adds to the transcript must not stay.
    """

    turn: Turn
    outputs: OutputSender
    whole: bool = False
    kept: int = 0
    cut_back: bool = False
    answer: Answer = field(default_factory=Answer)
    settled: trio.Event = field(default_factory=trio.Event)
    is_blocked: bool = False
    abandoned: bool = False

    def feed(self, event: e.AnyEvent) -> Sequence[Output]:
        """Take what the CLI said; returns what to give the reader. Raises TurnError."""
        new = self.turn.feed(event)
        if new:
            self.answer.add(new)
        return new

    def lost(self, kind: FailureKind) -> Sequence[Output]:
        """End it because its process is lost."""
        outputs = self.turn.lost(kind)
        self.answer.add(outputs)
        return outputs

    @property
    def is_complete(self) -> bool:
        """Whether its terminal output has come."""
        return self.answer.finished is not None or self.answer.failed is not None

    @property
    def waits_for_results(self) -> bool:
        """Whether the CLI is waiting for results of the client's tools."""
        finished = self.answer.finished
        parks = finished is not None and finished.after is After.PARK and not self.whole
        return parks and not self.settled.is_set()

    @property
    def leaves_nothing(self) -> bool:
        """Whether the transcript must be cut back to where it was before the question."""
        finished = self.answer.finished
        return self.cut_back or self.abandoned or finished is None or finished.after is not After.KEEP

    @property
    def is_altered(self) -> bool:
        """Whether a filter has given the client another text than the CLI holds."""
        return self.turn.filter is not None and self.turn.text.strip() != self.answer.text.strip()

    def block_is_due_once_sent(self) -> bool:
        """Whether the CLI must be kept from asking upstream again, now that it has sent the question."""
        return not (self.is_blocked or self.whole)

    def block_is_due(self, new: Sequence[Output]) -> bool:
        """The same, now that the answer has begun."""
        if self.is_blocked:
            return False
        if self.whole:  # only if the upstream does not report the tokens that use up the CLI's budget
            return not self.turn.counts_tokens
        # The log has not reported the request. Not before the first token, because the block would delay it.
        return any(not isinstance(output, Started) for output in new)

    def cuts(self, event: e.AnyEvent) -> bool:
        """Whether we end the answer here: at a stop sequence that the upstream does not accept."""
        return isinstance(event, e.StreamEvent) and not isinstance(event.event, e.MessageDelta | e.MessageStop)

    def asks_again(self, event: e.AnyEvent) -> bool:
        """Whether the CLI, after the end, has asked its upstream again on its own."""
        return isinstance(event, e.StreamEvent) and isinstance(event.event, e.MessageStart)

    def would_ask_again(self, last: Output, event: e.AnyEvent) -> bool:
        """Whether the CLI would do that now, if left alone. After its `result` line it never does."""
        if self.is_blocked or self.abandoned or self.whole:
            return False
        if isinstance(last, Finished):
            return last.after is After.KILL
        return isinstance(last, Failed) and not isinstance(event, e.Result)
