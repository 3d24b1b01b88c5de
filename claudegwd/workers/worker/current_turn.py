"""A worker's current or last turn: from the question until the CLI has ended it."""

from collections.abc import Callable

import trio

from claudegwd.claude_cli import commands
from claudegwd.claude_cli import events as e
from claudegwd.claude_cli.client_log import Rejection
from claudegwd.keys.failures import FailureKind
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.turn import Failed, Finished, Output, Turn
from claudegwd.workers.process.process import Launch
from claudegwd.workers.worker.held_conversation import HeldConversation
from claudegwd.workers.worker.life import WorkerLife, WorkerLost
from claudegwd.workers.worker.output_channel import OutputReceiver, open_output_channel
from claudegwd.workers.worker.pending_commands import PendingCommands
from claudegwd.workers.worker.retry_block import RENEWS_LOGIN
from claudegwd.workers.worker.running_turn import RunningTurn
from claudegwd.workers.worker.states import SETTLE_SECONDS, WorkerEvent, WorkerState
from claudegwd.workers.worker.written_settings import WrittenSettings


class CurrentTurn:
    """`now` is None until something is asked. `on_answered`: the answer is complete, or the turn failed."""

    def __init__(
        self,
        life: WorkerLife,
        launch: Launch,
        pending: PendingCommands,
        settings: WrittenSettings,
        conversation: HeldConversation,
        on_answered: Callable[[], None],
    ) -> None:
        self.now: RunningTurn | None = None
        self._life = life
        self._launch = launch
        self._pending = pending
        self._settings = settings
        self._conversation = conversation
        self._on_answered = on_answered

    # -- what others look at ------------------------------------------------------------------------------------------

    @property
    def answer(self) -> Answer:
        """What it has said so far."""
        return self.now.answer if self.now is not None else Answer()

    @property
    def is_answering(self) -> bool:
        """Whether it is running and its answer is not complete."""
        return self.now is not None and self.now.outputs.is_open

    @property
    def is_parked(self) -> bool:
        """Whether the CLI is waiting for results of the client's tools."""
        return self.now is not None and self.now.waits_for_results

    @property
    def hears_upstream(self) -> bool:
        """Whether the upstream has begun to answer."""
        return self.now is not None and self.now.turn.has_begun

    # -- its beginning and its end ------------------------------------------------------------------------------------

    def begin(self, turn: Turn, *, kept: int, cut_back: bool) -> OutputReceiver:
        """A question is about to be written; its outputs come through the channel."""
        sender, receiver = open_output_channel()
        self.now = RunningTurn(turn, sender, self._launch.whole, kept, cut_back)
        return receiver

    def forget(self) -> None:
        """There is a new borrower: the last answer is not its own. But it continues a parked turn."""
        if not self.is_parked:
            self.now = None

    async def until_settled(self) -> None:
        """Wait until the CLI has ended it and can be asked again. Raises WorkerLost."""
        if self.now is not None:
            with trio.move_on_after(SETTLE_SECONDS):
                await self.now.settled.wait()
                self._life.check()
                return
            raise WorkerLost("the CLI does not end its turn")

    def interrupt(self) -> None:
        """Tell the CLI to end it."""
        self._pending.command(commands.interrupt)

    def abandon(self) -> None:
        """The rest is unwanted, or it failed: the CLI ends the turn and forgets it, and the process is kept. If that is
        impossible, the process is ended."""
        now = self.now
        if not (self._launch.whole or self._launch.goes_back):
            self._life.close(now=True)
            return
        self._life.change(WorkerEvent.ABANDONED)
        if now is None:  # nothing was asked, but the conversation may be about to change
            self.settle_unasked()
            return
        now.abandoned = True
        # The turn itself is unaffected: it continues until the CLI has ended it.
        now.outputs.end((Failed(FailureKind.CLI, None, "abandoned", None),))
        if now.settled.is_set():
            self._settle(now)
        else:
            self.interrupt()

    def settle_unasked(self) -> None:
        """Settle a worker whose borrower left before it asked, once its conversation is what its transcript says."""
        if self.now is None and self._life.state is WorkerState.SETTLING and not self._conversation.is_changing:
            self._life.change(WorkerEvent.SETTLED)

    def tell_silence(self) -> None:
        """Give the reader an empty batch. For the pool's sweep: one timer for all streams is cheaper than one per
        event."""
        if self.now is not None:
            self.now.outputs.tell_silence()

    def time_out(self, kind: FailureKind = FailureKind.SILENT) -> None:
        """End it as timed out, and the process with it."""
        if self.now is not None:
            self.now.outputs.end(self.now.lost(kind))
        self._life.close(now=True)

    def lose(self) -> None:
        """The process is gone: release whatever waits for it."""
        if self.now is not None:
            self.now.outputs.end(self.now.lost(FailureKind.CLI))
            self.now.settled.set()

    # -- what the CLI says --------------------------------------------------------------------------------------------

    def feed(self, event: e.AnyEvent, outputs: list[Output]) -> None:
        """Take a line of the answer; adds what it gives the reader to `outputs`. Raises TurnError."""
        now = self.now
        if now is None:
            return
        if now.turn.over:
            if now.asks_again(event):
                self._life.fail("it sent another request upstream on its own")
            return
        new = now.feed(event)
        if not new:
            return
        outputs.extend(new)
        if now.turn.over:
            self._on_over(now, new[-1], event)
        elif now.block_is_due(new):
            self._block(now)

    def on_sent(self) -> None:
        """The CLI has sent a question upstream, or the same one again."""
        if self.now is not None and not self.now.turn.over:
            self.now.turn.rejection = None
            if self.now.block_is_due_once_sent():
                self._block(self.now)

    def on_rejected(self, rejection: Rejection) -> None:
        """The upstream has rejected it."""
        now = self.now
        if now is None or now.turn.over:
            return
        now.turn.rejection = rejection
        if rejection.status in RENEWS_LOGIN and now.is_blocked:
            self._settings.unblock()
            now.is_blocked = False

    def feed_result(self, event: e.Result, outputs: list[Output]) -> None:
        """Take the line with which the CLI ends its turn. Raises TurnError."""
        cost = self._conversation.new_cost(event.total_cost_usd)
        if cost > 0 and self.now is not None:
            self.now.answer.spend(cost)
        if self._conversation.acknowledges(event):
            self.settle_unasked()
            return
        self.feed(event, outputs)
        now = self.now
        if now is None or now.settled.is_set() or not (now.turn.over or now.abandoned):
            return
        if self._launch.whole:
            now.answer.recount(event.output_tokens)
        now.settled.set()
        self._settings.unblock()
        if self._launch.whole:
            self._conversation.clear()  # now, while no request waits for it
        if self._life.state is WorkerState.SETTLING:
            self._settle(now)

    def began(self) -> None:
        """The CLI begins the turn. An interrupt sent before this had no effect."""
        if self.now is not None and self.now.abandoned:
            self.interrupt()

    def _block(self, now: RunningTurn) -> None:
        self._settings.block()
        now.is_blocked = True

    def _on_over(self, now: RunningTurn, last: Output, event: e.AnyEvent) -> None:
        """The answer is complete, or the turn has failed. Called before the next line is looked at, which may be the
        `result` that settles the turn."""
        if now.cuts(event):
            now.cut_back = True
            self.interrupt()
        elif now.would_ask_again(last, event):
            # Right now: about 10 ms later the CLI would send its next request (observed), and an interrupt would be
            # read too late to stop it.
            self._life.close(now=True)
        if isinstance(last, Finished) and now.is_altered:
            now.cut_back = True  # the client's next message follows what it was given
        if self.is_parked:
            self._settings.unblock()
        if not now.abandoned:
            self._on_answered()
        if isinstance(last, Finished) and self._life.state is WorkerState.BUSY:
            self._life.change(WorkerEvent.CALLED if self.is_parked else WorkerEvent.ANSWERED)

    def _settle(self, now: RunningTurn) -> None:
        """The CLI has ended the turn: it can be asked again, at once or after a rewind."""
        if now.leaves_nothing and not self._launch.goes_back and not self._launch.whole:
            self._life.close()
        elif self._launch.whole or not now.leaves_nothing:
            self._life.change(WorkerEvent.SETTLED)
        else:
            self._conversation.cut(self._conversation.transcript.cut_point(now.kept))
