"""A worker: one CLI process and the conversation in it. The pool owns it; a request only borrows it.

Theory of operation. What a request writes goes to the process's stdin at once and in order; what the process writes
comes to `_on_lines`, in the process's own task, which alone changes the running turn and passes its outputs to a
channel.

- Promised: each turn has one terminal output, whatever happens to the process. A question is one upstream request:
  requests that the CLI would send by itself are blocked (retry_block.py), or its process is killed. After a turn that
  nobody wanted, or that must not stay, the CLI is back where it was before the question, or it is ended.
- What can interleave: a borrower's calls, the process's lines, the sweep (`tell_silence`, `time_out`, `close`) and the
  end of the process. All run on one thread, and none waits between reading the state and changing it; code that waits
  for the CLI (`append`, `go_back`, `until_settled`) checks again afterwards.
- Bounded: every reply of the CLI by the constants in states.py, the answer's silence by the pool's sweep, and what a
  slow reader leaves unread by the channel, which blocks the CLI.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import trio

from claudegwd.claude_cli import commands
from claudegwd.claude_cli import events as e
from claudegwd.claude_cli.limit_windows import LimitWindow, windows_of_event, windows_of_headers
from claudegwd.keys.failures import FailureKind
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.transitions import ImpossibleTransition, after
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.turn import Failed, Finished, Output, Turn, TurnError
from claudegwd.translate.request.catalogue import Initialized
from claudegwd.translate.request.history import ToolResult
from claudegwd.workers.carriers.transcript import Transcript
from claudegwd.workers.process.process import CliProcess, Launch
from claudegwd.workers.worker.client_tools import ClientTools
from claudegwd.workers.worker.hearing import Hearing
from claudegwd.workers.worker.held_conversation import HeldConversation
from claudegwd.workers.worker.output_channel import OutputReceiver, open_output_channel
from claudegwd.workers.worker.pending_commands import PendingCommands
from claudegwd.workers.worker.retry_block import RetryBlock
from claudegwd.workers.worker.running_turn import RunningTurn
from claudegwd.workers.worker.start_up import StartUp
from claudegwd.workers.worker.states import SETTLE_SECONDS, TRANSITIONS, WorkerEvent, WorkerState
from claudegwd.workers.worker.warm_up import WarmUp
from claudegwd.workers.worker.written_settings import WrittenSettings

_numbers = count(1)


class WorkerLost(Exception):  # noqa: N818 - named after what happened
    """The process ended, spoke nonsense or refused a command."""


@dataclass(frozen=True, slots=True)
class WorkerReports:
    """What a worker tells its owner, in the moment in which it happens. `answered`: the answer is complete, or the turn
    failed. `limits`: under which key an answer told of the upstream's limits, and what."""

    changed: "Callable[[Worker], None]" = lambda _: None
    answered: "Callable[[Worker], None]" = lambda _: None
    limits: Callable[[str, Sequence[LimitWindow]], None] = lambda *_: None


class Worker:
    """Fields that others read: state, client, base, when it was last used, uses.

    With `launch.whole` every question is a whole request, and what the CLI holds is a placeholder, cleared after each
    answer. Without it the CLI holds the conversation: `transcript` says which, and going back cuts it.
    """

    def __init__(
        self,
        launch: Launch,
        clock: Callable[[], float],
        reports: WorkerReports | None = None,
        *,
        background: bool = False,
        warms_up: bool = False,
    ) -> None:
        self.number = next(_numbers)
        self.launch = launch
        self.state = WorkerState.STARTING
        self.hearing = Hearing(clock)
        self.process = CliProcess(launch, self._on_lines, background=background)
        self.process.on_upstream = self.hearing.hear
        self.process.on_limits = lambda headers: self._tell_limits(windows_of_headers(headers))
        self.client: str | None = None
        self.base: bytes | None = None  # the digest of what `initialize` fixed, and of the client
        self.uses = 0
        self.started_at = self.used_at = clock()
        self.at_rest = trio.Event()  # it is not settling
        warm_up = WarmUp(self.process.send, clock)
        self._reports = reports or WorkerReports()
        self._pending = PendingCommands(warm_up.send)
        self._start_up = StartUp(self._pending, warm_up, warms_up=warms_up)
        self._settings = WrittenSettings(self._pending)
        self._conversation = HeldConversation(self._pending)
        self._client_tools = ClientTools()
        self._now: RunningTurn | None = None
        self._refused: str | None = None

    # -- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Live until the process is reaped. The caller (the pool's nursery) is the owner."""
        self._start_up.begin()
        try:
            await self.process.run()
        except (OSError, RuntimeError) as error:  # RuntimeError: no more threads
            self.process.fault = f"it cannot be started: {getattr(error, 'strerror', None) or error}"
        finally:
            self._lose()

    def change(self, event: WorkerEvent) -> None:
        """Take an event of the state table."""
        self.state = after(TRANSITIONS, self.state, event)
        self.process.to_foreground()  # a spare starts no more, or is waited for
        if self.state is WorkerState.SETTLING:
            self.at_rest = trio.Event()
        else:
            self.at_rest.set()
        self._reports.changed(self)

    def close(self, *, now: bool = False) -> None:
        """End the process: by the ladder, or at once where a turn is under way. Returns without waiting."""
        if self.state is not WorkerState.CLOSING:
            self.change(WorkerEvent.ENDED)
        if now:
            self.process.kill()
        else:
            self.process.end()

    # -- what a request does with it ----------------------------------------------------------------------------------

    def lend_to(self, client: str, base: bytes) -> None:
        """A new question begins. The last one's answer is not its own: a borrower who goes before asking has none."""
        self.client = client
        self.base = base
        self.uses += 1
        if not self.is_in_mid_turn:
            self._now = None

    def initialize(self, system: str, tools: Sequence[Any]) -> None:
        """Write system prompt and tools; once in a worker's life. Raises WorkerLost."""
        self._check()
        self._client_tools.manifest = tools
        self._start_up.initialize(system, tools)

    async def initialized_answer(self) -> Initialized:
        """Wait for the answer to `initialize`, which holds the catalogue. For the start-up probe."""
        await self._start_up.until_initialized()
        self._check()
        if self._start_up.initialized is None:
            raise WorkerLost("the CLI's answer to initialize cannot be read")
        return self._start_up.initialized

    def set(self, values: dict[str, Any], key: str | None) -> None:
        """Settings for the next question, written with it unless they are what was last written."""
        self._settings.put(values, key)

    def forget_settings(self) -> None:
        """They are large, and never the same again."""
        self._settings.values = None

    async def append(self, lines: bytes) -> None:
        """Write lines of which the last appends a user message, and wait until the CLI has it. Raises WorkerLost."""
        self._check()  # of one that is gone nobody would ever acknowledge anything
        with trio.move_on_after(self.hearing.acknowledge_within()):
            await self._conversation.append(lines)
            self._check()
            return
        raise WorkerLost("the CLI does not take the conversation")

    async def go_back(self, held: int) -> None:
        """Cut the transcript to its first `held` entries, the next of which has a uuid. Raises WorkerLost.

        A turn that is parked is given up for it.
        """
        self._check()
        with trio.move_on_after(SETTLE_SECONDS):
            if self.is_in_mid_turn:
                self._interrupt()
                await self.until_settled()
            self._conversation.cut(held)
            await self._conversation.until_cut()
            self._check()
            return
        raise WorkerLost("the CLI does not go back")

    async def until_settled(self) -> None:
        """Wait until the CLI has ended its last turn, before it is asked again. Raises WorkerLost."""
        if self._now is not None:
            with trio.move_on_after(SETTLE_SECONDS):
                await self._now.settled.wait()
                self._check()
                return
            raise WorkerLost("the CLI does not end its turn")

    def ask(
        self, turn: Turn, lines: bytes, *, kept: int = 0, results: Sequence[ToolResult] = (), last_use: bool = False
    ) -> OutputReceiver:
        """Write the question, or the results that a parked turn waits for.

        The outputs come on the channel, which ends after the terminal one. `kept`: entries of the transcript that stay
        when this turn is cut back; `last_use`: the process is of no use after it. Raises WorkerLost.
        """
        self._check()  # the channel of one that is gone would never end
        sender, receiver = open_output_channel()
        self._now = RunningTurn(turn, sender, RetryBlock(self._settings.values), self.launch.whole, kept, last_use)
        self.hearing.ask()
        self._pending.send(self._settings.take() + lines + self._client_tools.give(results))
        return receiver

    def abandon(self) -> None:
        """Nobody wants the rest of the turn under way, or it failed: the CLI ends it and forgets it, and the process
        serves on. Where that cannot be, the process is ended."""
        now = self._now
        if not self.launch.whole and (now is None or not self.launch.goes_back):
            self.close(now=True)  # its conversation may be half written
            return
        self.change(WorkerEvent.ABANDONED)
        if now is None:  # nothing was asked
            self.change(WorkerEvent.SETTLED)
            return
        now.abandoned = True
        # To the turn itself nothing has happened yet: it goes on until the CLI has ended it.
        now.outputs.end((Failed(FailureKind.CLI, None, "abandoned", None),))
        if now.settled.is_set():
            self._settle(now)
        else:
            self._interrupt()

    def tell_silence(self) -> None:
        """Give the reader an empty batch if the turn has been silent for a heartbeat. For the pool's sweep: one timer
        for all streams costs less than one for each event."""
        if self._now is not None and self.hearing.heartbeat_is_due():
            self._now.outputs.tell_silence()

    def time_out(self, kind: FailureKind = FailureKind.SILENT) -> None:
        """End the turn under way as one that took too long, and the process with it."""
        if self._now is not None:
            self._now.outputs.end(self._now.lost(kind))
        self.close(now=True)

    # -- what others look at ------------------------------------------------------------------------------------------

    @property
    def key(self) -> str | None:
        """The name of the upstream key that it was last given."""
        return self._settings.key

    @property
    def transcript(self) -> Transcript:
        """What the CLI holds of a conversation."""
        return self._conversation.transcript

    @property
    def answer(self) -> Answer:
        """What the turn under way, or the last one, has said so far."""
        return self._now.answer if self._now is not None else Answer()

    @property
    def is_answering(self) -> bool:
        """Whether a turn is under way whose answer is not complete."""
        return self._now is not None and self._now.outputs.is_open

    @property
    def is_in_mid_turn(self) -> bool:
        """Whether the CLI waits for results of the client's tools."""
        return self._now is not None and self._now.waits_for_results

    @property
    def is_stuck_warming_up(self) -> bool:
        """Whether the CLI does not answer the question that a spare asks to nobody."""
        return self._start_up.warm_up.is_stuck

    @property
    def failed_to_start(self) -> bool:
        """Whether the process ended by itself without a word."""
        return not self.hearing.has_begun and not self.process.was_asked_to_end

    @property
    def hears_upstream(self) -> bool:
        """Whether the upstream has begun to answer the question."""
        return self._now is not None and self._now.turn.has_begun

    # -- what the CLI says --------------------------------------------------------------------------------------------

    async def _on_lines(self, lines: Sequence[bytes]) -> None:
        hearing, now = self.hearing, self._now
        hearing.has_begun = True
        hearing.hear()
        outputs: list[Output] = []
        try:
            for line in lines:
                event = e.decode_event(line)
                if now is not None and now.turn.verbatim:
                    outputs.extend(now.turn.passed_on(event, line))
                self._on_event(event, outputs)
        except (e.EventError, TurnError, ImpossibleTransition) as error:
            self.process.fault = str(error)
            if self._now is not None:
                outputs.extend(self._now.lost(FailureKind.CLI))
            self.close(now=True)
        if outputs and now is not None:
            if now.is_complete:
                now.outputs.end(outputs)
            else:
                hearing.wait_for_reader()
                await now.outputs.deliver(outputs)
                hearing.read_on()

    def _on_event(self, event: e.AnyEvent, outputs: list[Output]) -> None:
        # Answers to what was written before the question say nothing of it.
        if not isinstance(event, e.CliResponse) or self._settings.are_answered_by(event.response.request_id):
            self.hearing.acknowledged = True
        match event:
            case e.RateLimit(rate_limit_info=info):
                self._feed(event, outputs)
                self._tell_limits(windows_of_event(info))
            case e.StreamEvent() | e.AssistantLine():
                self._feed(event, outputs)
            case e.CliResponse(response=body):
                self._on_reply(body)
            case e.CliRequest():
                self._pending.send(self._client_tools.take(event))
            case e.Result():
                self._on_result(event, outputs)
            case e.System(subtype="init") if self._now is not None and self._now.abandoned:
                self._interrupt()  # the first one came before the turn began, and had no effect
            case e.System(subtype="model_refusal_no_fallback"):
                self._feed(event, outputs)

    def _feed(self, event: e.AnyEvent, outputs: list[Output]) -> None:
        now = self._now
        if now is None:
            return
        if now.turn.over:
            if now.asks_again(event):
                self.process.fault = "it asked upstream again by itself"
                self.close(now=True)
            return
        new = now.feed(event)
        if not new:
            return
        outputs.extend(new)
        if now.turn.over:
            self._on_over(now, new[-1], event)
        elif now.block_is_due(new):
            self._settings.write_retry_block()
            now.retry_block.is_up = True

    def _on_over(self, now: RunningTurn, last: Output, event: e.AnyEvent) -> None:
        """The answer is complete, or the turn has failed. Before the next line is looked at, which may be the `result`
        that settles the turn."""
        if now.cuts(event):
            now.cut_back = True
            self._interrupt()
        elif now.would_ask_again(last, event):
            # In this very moment: about 10 ms later the CLI's next request would be on its way (observed), and an
            # interrupt is read too late to stop it.
            self.close(now=True)
        if not now.abandoned:
            self._reports.answered(self)
        if isinstance(last, Finished) and self.state is WorkerState.BUSY:
            self.change(WorkerEvent.CALLED if self.is_in_mid_turn else WorkerEvent.ANSWERED)

    def _on_result(self, event: e.Result, outputs: list[Output]) -> None:
        cost = self._conversation.new_cost(event.total_cost_usd)
        if cost > 0 and self._now is not None:
            self._now.answer.spend(cost)
        if self._conversation.acknowledges(event):
            return
        self._feed(event, outputs)
        now = self._now
        if now is None or now.settled.is_set() or not (now.turn.over or now.abandoned):
            return
        now.settled.set()
        if self.launch.whole:
            self._conversation.clear()  # while nobody waits for it
        if self.state is WorkerState.SETTLING:
            self._settle(now)

    def _settle(self, now: RunningTurn) -> None:
        """The CLI has ended the turn: it can be asked again, at once or when it has gone back."""
        if now.last_use or (now.leaves_nothing and not self.launch.goes_back and not self.launch.whole):
            self.close()
        elif self.launch.whole or not now.leaves_nothing:
            self.change(WorkerEvent.SETTLED)
        else:
            self._conversation.cut(self.transcript.cut_point(now.kept))

    def _on_reply(self, body: e.CliResponseBody) -> None:
        if self._start_up.is_first_word(body):
            self._on_started()
        elif self._start_up.warm_up.takes(body.request_id):
            if self.state is WorkerState.STARTING and not self._start_up.warm_up.is_on:
                self.change(WorkerEvent.READY)
        elif body.subtype != "success":
            self._refuse(body.error or "no reason")
        else:
            self._start_up.take(body, self.process.pid)
            self._on_cut(self._conversation.is_cut(body))
        self._pending.answered(body)

    def _on_started(self) -> None:
        starting = self.state is WorkerState.STARTING
        if self._start_up.warms(taken=not starting):
            return
        self.process.to_foreground(started=True)
        if starting:
            self.change(WorkerEvent.READY)

    def _on_cut(self, done: bool | None) -> None:
        if done is False:
            self._refuse("it does not go back")
        elif done and self.state is WorkerState.SETTLING:
            self.change(WorkerEvent.SETTLED)

    def _refuse(self, reason: str) -> None:
        self._refused = reason
        log_event(log, logging.WARNING, "the CLI refused a command", pid=self.process.pid)
        self.close(now=True)

    # -- within -------------------------------------------------------------------------------------------------------

    def _tell_limits(self, windows: Sequence[LimitWindow]) -> None:
        if windows and self.key is not None:
            self._reports.limits(self.key, windows)

    def _interrupt(self) -> None:
        self._pending.command(commands.interrupt)

    def _lose(self) -> None:
        """The process is gone: end the turn under way, and let go whoever waits."""
        if self.state is not WorkerState.CLOSING:
            self.change(WorkerEvent.ENDED)
        if self._now is not None:
            self._now.outputs.end(self._now.lost(FailureKind.CLI))
            self._now.settled.set()
        self._conversation.let_go()
        self._pending.let_go()

    def _check(self) -> None:
        if self.state is WorkerState.CLOSING:
            raise WorkerLost(self._refused or self.process.fault or "the CLI ended")
