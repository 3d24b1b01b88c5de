"""A worker: one CLI process and the conversation in it. The pool owns it; a request only borrows it.

Theory of operation. What a request writes goes to the process's stdin at once and in order; what the process writes
goes to `_on_lines`, in the process's own task, which alone feeds the running turn (current_turn.py) and passes its
outputs to a channel. What it logs on stderr goes to the turn from a task of its own, or when it is about to matter. The
state and its end are in life.py.

- Promised: each turn has one terminal output, whatever happens to the process. A question is one upstream request:
  requests that the CLI would send on its own are blocked (retry_block.py), or its process is killed. After a turn that
  was abandoned or must not stay, the CLI is back where it was before the question, or it is ended.
- What can interleave: a borrower's calls, the process's lines and its log, the sweep (`tell_silence`, `time_out`,
  `close`) and the end of the process. All run on one thread, and none waits between reading the state and changing it;
  code that waits for the CLI (`append`, `go_back`, `until_settled`) checks again afterwards.
- Bounded: every reply of the CLI by the constants in states.py, the answer's silence by the pool's sweep, and what a
  slow reader leaves unread by the channel, which blocks the CLI.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import trio

from claudegwd.claude_cli import events as e
from claudegwd.claude_cli.limit_windows import LimitWindow, windows_of_event, windows_of_headers
from claudegwd.keys.failures import FailureKind
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.transitions import ImpossibleTransition
from claudegwd.translate.answer.turn import Output, Turn, TurnError
from claudegwd.translate.request.catalogue import Initialized
from claudegwd.translate.request.history import ToolResult
from claudegwd.workers.carriers.transcript import Transcript
from claudegwd.workers.process.process import CliProcess, Launch
from claudegwd.workers.worker.client_tools import ClientTools
from claudegwd.workers.worker.current_turn import CurrentTurn
from claudegwd.workers.worker.hearing import Hearing
from claudegwd.workers.worker.held_conversation import HeldConversation
from claudegwd.workers.worker.life import WorkerLife, WorkerLost
from claudegwd.workers.worker.output_channel import OutputReceiver
from claudegwd.workers.worker.pending_commands import PendingCommands
from claudegwd.workers.worker.retry_block import address_variable
from claudegwd.workers.worker.start_up import StartUp
from claudegwd.workers.worker.states import SETTLE_SECONDS, WorkerEvent, WorkerState
from claudegwd.workers.worker.warm_up import WarmUp
from claudegwd.workers.worker.written_settings import WrittenSettings

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class WorkerReports:
    """What a worker tells its owner, as it happens. `answered`: the answer is complete, or the turn failed. `limits`:
    the key's name and digest, and what an answer said about its limits."""

    changed: "Callable[[Worker], None]" = lambda _: None
    answered: "Callable[[Worker], None]" = lambda _: None
    limits: Callable[[str, str, Sequence[LimitWindow]], None] = lambda *_: None


class Worker:
    """Fields that others read: its life with the state, its turn, client, base, when it was last used, uses.

    With `launch.whole`, every question is a whole request, and what the CLI holds is a placeholder, cleared after each
    answer. Without it, the CLI holds the conversation: `transcript` describes it, and `go_back` cuts it.
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
        self.hearing = Hearing(clock)
        self.process = CliProcess(launch, self._on_lines, background=background)
        self.process.stderr.on_upstream = self.hearing.hear
        self.process.stderr.on_limits = lambda headers: self._tell_limits(windows_of_headers(headers))
        self.client: str | None = None
        self.base: bytes | None = None  # the digest of what `initialize` fixed, and of the client
        self.uses = 0
        self.is_outdated = False  # workers are started differently by now: it ends as soon as it is free
        self.started_at = self.used_at = clock()
        warm_up = WarmUp(self.process.send, clock)
        self._reports = told = reports or WorkerReports()
        self.life = WorkerLife(self.process, lambda: told.changed(self))
        self._pending = PendingCommands(warm_up.send)
        self._start_up = StartUp(self._pending, warm_up, warms_up=warms_up)
        self.settings = WrittenSettings(self._pending, address_variable(launch.env))
        self._conversation = HeldConversation(self._pending)
        self._client_tools = ClientTools()
        parts = (self._pending, self.settings, self._conversation)
        self.turn = CurrentTurn(self.life, launch, *parts, lambda: told.answered(self))
        self.process.stderr.on_sent = self.turn.on_sent
        self.process.stderr.on_rejected = self.turn.on_rejected

    # -- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Live until the process is reaped. The caller (the pool's nursery) is the owner."""
        self._start_up.begin()
        try:
            await self.process.run()
        except (OSError, RuntimeError) as error:  # RuntimeError: no more threads
            self.process.fault = f"it cannot be started: {getattr(error, 'strerror', None) or error}"
        finally:  # the process is gone: release whatever waits for it
            self.life.end()
            self.turn.lose()
            self._conversation.let_go()
            self._pending.let_go()

    # -- what a request does with it ----------------------------------------------------------------------------------

    def lend_to(self, client: str, base: bytes) -> None:
        """A new question begins. Its borrower must not see the last answer, even if it leaves before asking."""
        self.client = client
        self.base = base
        self.uses += 1
        self.turn.forget()

    def initialize(self, system: str, tools: Sequence[Any]) -> None:
        """Write system prompt and tools, once in a worker's life. Raises WorkerLost."""
        self.life.check()
        self._client_tools.manifest = tools
        self._start_up.initialize(system, tools)

    async def initialized_answer(self) -> Initialized:
        """Wait for the answer to `initialize`, which contains the catalogue. For the start-up probe."""
        await self._start_up.until_initialized()
        self.life.check()
        if self._start_up.initialized is None:
            raise WorkerLost("the CLI's answer to initialize cannot be read")
        return self._start_up.initialized

    async def append(self, lines: bytes) -> None:
        """Write lines, the last of which appends a user message, and wait until the CLI has it. Raises WorkerLost."""
        self.life.check()  # a process that is gone would never acknowledge them
        with trio.move_on_after(self.hearing.acknowledge_within()):
            await self._conversation.append(lines)
            self.life.check()
            return
        raise WorkerLost("the CLI does not accept the conversation")

    async def go_back(self, held: int) -> None:
        """Cut the transcript to its first `held` entries; the next one must have a uuid. Raises WorkerLost.

        A parked turn is given up.
        """
        self.life.check()
        with trio.move_on_after(SETTLE_SECONDS):
            if self.turn.is_parked:
                self.turn.interrupt()
                await self.turn.until_settled()
                self.turn.now = None
            self._conversation.cut(held)
            await self._conversation.until_cut()
            self.life.check()
            return
        raise WorkerLost("the CLI does not rewind")

    def ask(
        self, turn: Turn, lines: bytes, *, kept: int = 0, results: Sequence[ToolResult] = (), cut_back: bool = False
    ) -> OutputReceiver:
        """Write the question, or the results that a parked turn waits for.

        The outputs come through the channel, which ends after the terminal one. `kept`: how many transcript entries
        stay when this turn is cut back; `cut_back`: it is cut back even after an answer. Raises WorkerLost.
        """
        self.life.check()  # if it is gone, the channel would never end
        self.process.stderr.hear()  # what it still has to say about an earlier question
        receiver = self.turn.begin(turn, kept=kept, cut_back=cut_back)
        self.hearing.ask()
        self._pending.send(self.settings.take() + lines + self._client_tools.give(results))
        return receiver

    # -- what others look at ------------------------------------------------------------------------------------------

    @property
    def is_initialized(self) -> bool:
        """Whether system prompt and tools have been written."""
        return self._start_up.is_initialized

    @property
    def is_over(self) -> bool:
        """Whether it is not to be asked any more: it is being ended, or will be once it is free."""
        return self.is_outdated or self.life.state is WorkerState.CLOSING

    @property
    def key(self) -> str | None:
        """The name of the upstream key it was last given."""
        return self.settings.key

    @property
    def transcript(self) -> Transcript:
        """What the CLI holds of a conversation."""
        return self._conversation.transcript

    @property
    def is_stuck_warming_up(self) -> bool:
        """Whether the CLI has not answered its warm-up question in time."""
        return self._start_up.warm_up.is_stuck

    @property
    def failed_to_start(self) -> bool:
        """Whether the process ended by itself without any output."""
        return not self.hearing.has_begun and not self.process.was_asked_to_end

    # -- what the CLI says --------------------------------------------------------------------------------------------

    async def _on_lines(self, lines: Sequence[bytes]) -> None:
        hearing, now = self.hearing, self.turn.now
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
            if self.turn.now is not None:
                outputs.extend(self.turn.now.lost(FailureKind.CLI))
            self.life.fail(str(error))
        if outputs and now is not None:
            if now.is_complete:
                now.outputs.end(outputs)
            else:
                hearing.wait_for_reader()
                await now.outputs.deliver(outputs)
                hearing.read_on()

    def _on_event(self, event: e.AnyEvent, outputs: list[Output]) -> None:
        # Replies to what was written before the question do not acknowledge it.
        if not isinstance(event, e.CliResponse) or self.settings.are_answered_by(event.response.request_id):
            self.hearing.acknowledged = True
        match event:
            case e.RateLimit(rate_limit_info=info):
                self.turn.feed(event, outputs)
                self._tell_limits(windows_of_event(info))
            case e.StreamEvent() | e.AssistantLine():
                self.turn.feed(event, outputs)
            case e.CliResponse(response=body):
                self._on_reply(body)
            case e.CliRequest():
                self._pending.send(self._client_tools.take(event))
            case e.Result():
                if event.is_error:
                    self.process.stderr.hear()  # it may say why
                self.turn.feed_result(event, outputs)
            case e.System(subtype="init"):
                self.turn.began()
            case e.System(subtype="model_refusal_no_fallback"):
                self.turn.feed(event, outputs)

    def _on_reply(self, body: e.CliResponseBody) -> None:
        if self._start_up.is_first_word(body):
            self._on_started()
        elif self._start_up.warm_up.takes(body.request_id):
            if self.life.state is WorkerState.STARTING and not self._start_up.warm_up.is_on:
                self.life.change(WorkerEvent.READY)
        elif body.subtype != "success":
            self._refuse(body.error or "no reason")
        else:
            self._start_up.take(body, self.process.pid)
            self._on_cut(self._conversation.is_cut(body))
        self._pending.answered(body)

    def _on_started(self) -> None:
        starting = self.life.state is WorkerState.STARTING
        if self._start_up.warms(taken=not starting):
            return
        self.process.to_foreground(started=True)
        if starting:
            self.life.change(WorkerEvent.READY)

    def _on_cut(self, done: bool | None) -> None:
        if done is False:
            self._refuse("it does not rewind")
        elif done and self.life.state is WorkerState.SETTLING:
            self.life.change(WorkerEvent.SETTLED)

    def _refuse(self, reason: str) -> None:
        log_event(log, logging.WARNING, "the CLI refused a command", pid=self.process.pid)
        self.life.refuse(reason)

    # -- within -------------------------------------------------------------------------------------------------------

    def _tell_limits(self, windows: Sequence[LimitWindow]) -> None:
        if windows and self.key is not None:
            self._reports.limits(self.key, self.settings.key_digest, windows)
