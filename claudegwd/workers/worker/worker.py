"""A worker: one CLI process and the conversation in it. The pool owns it; a request only borrows it.

Theory of operation. What a request writes goes to the process's stdin at once and in order; what the process says comes
to `_on_lines`, in the process's own task, which alone changes the turn under way and hands its outputs to a channel.

- Promised: each turn has one terminal output, whatever happens to the process. A question is one upstream request: what
  the CLI would ask by itself is blocked (retry_block.py), or its process is killed. After a turn that nobody wanted, or
  that may not stay, the CLI is where it was before the question, or it is ended.
- What can interleave: a borrower's calls, the process's lines, the sweep (`tell_silence`, `time_out`, `close`) and the
  end of the process. All run on one thread and none waits between looking at the state and changing it; whoever waits
  for the CLI (`append`, `go_back`, `until_settled`) looks again afterwards.
- Bounded: every answer of the CLI's by the constants of states.py, the answer's silence by the pool's sweep, and what a
  slow reader leaves by the channel, which makes the CLI wait.
"""

import logging
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import msgspec
import trio

from claudegwd.claude_cli import commands
from claudegwd.claude_cli import events as e
from claudegwd.claude_cli.launch import TOOL_SERVER
from claudegwd.claude_cli.limit_windows import LimitWindow, windows_of_event, windows_of_headers
from claudegwd.keys.failures import FailureKind
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.transitions import ImpossibleTransition, after
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.turn import After, Failed, Finished, Output, Turn, TurnError
from claudegwd.translate.request.catalogue import Initialized, read_initialized
from claudegwd.translate.request.history import ToolResult
from claudegwd.workers.carriers.transcript import Transcript
from claudegwd.workers.process.process import CliProcess, Launch
from claudegwd.workers.worker.client_tools import ClientTools
from claudegwd.workers.worker.output_channel import OutputReceiver, open_output_channel
from claudegwd.workers.worker.pending_commands import PendingCommands
from claudegwd.workers.worker.retry_block import SETTINGS, RetryBlock
from claudegwd.workers.worker.running_turn import RunningTurn
from claudegwd.workers.worker.states import (
    ACKNOWLEDGE_SECONDS,
    SETTLE_SECONDS,
    START_SECONDS,
    TRANSITIONS,
    WorkerEvent,
    WorkerState,
)
from claudegwd.workers.worker.warm_up import WarmUp

# How often a silent turn is told to its reader, who writes a comment: proxies and clients give up on a silent
# connection after 30 to 60 s.
HEARTBEAT_SECONDS = 15.0

# Settings that change nothing. The first that a process takes cost it some 40 ms more than later ones (observed), so a
# spare that does not warm up takes some while nobody waits for it.
_WARMING: dict[str, Any] = {"env": {"CLAUDE_CODE_EXTRA_BODY": ""}}

_numbers = count(1)

# Under which key an answer told of the upstream's limits, and what.
OnLimits = Callable[[str, Sequence[LimitWindow]], None]


class _Rewound(msgspec.Struct):
    rewound: bool = False


class WorkerLost(Exception):  # noqa: N818 - named after what happened
    """The process ended, spoke nonsense or refused a command."""


class Worker:
    """Fields that others read: state, client, base, transcript, when it was last used, uses.

    With `launch.whole` every question is a whole request, and what the CLI holds is a placeholder, cleared after each
    answer. Without it the CLI holds the conversation: `transcript` says which, and going back cuts it.
    """

    def __init__(
        self, launch: Launch, clock: Callable[[], float], *, background: bool = False, warms_up: bool = False
    ) -> None:
        self.number = next(_numbers)
        self.launch = launch
        self.state = WorkerState.STARTING
        self.process = CliProcess(launch, self._on_lines, background=background)
        self.process.on_upstream = self._hear
        self.process.on_limits = lambda headers: self._tell_limits(windows_of_headers(headers))
        self.client: str | None = None
        self.base: bytes | None = None  # the digest of what `initialize` fixed, and of the client
        self.transcript = Transcript()
        self.settings: dict[str, Any] | None = None  # what was last written, credentials included
        self.key: str | None = None
        self.uses = 0
        self.started_at = clock()
        self.used_at = self.started_at
        self.heard_at = self.started_at
        self.initialized: Initialized | None = None
        self.at_rest = trio.Event()  # it is not settling
        self.ended = trio.Event()
        self.on_change: Callable[[Worker], None] = lambda _: None
        self.on_answer: Callable[[Worker], None] = lambda _: None  # the answer is complete, or the turn failed
        self.on_limits: OnLimits = lambda *_: None
        self._spent = 0.0  # what the CLI says its conversation has cost in all
        self._clock = clock
        self._heard = False  # since it was started
        self._acknowledged = False  # since it was asked
        self._delivering_since: float | None = None  # its reader is behind
        self._told_at = self.started_at
        self._ready_id = ""
        self._initialize_id = ""
        self._rewind_id = ""
        self._settings_id = ""
        self._rewind_to = 0
        self._now: RunningTurn | None = None
        self._warms_up = warms_up
        self._warm_up = WarmUp(self.process.send, clock)
        self._send = self._warm_up.send
        self._pending = PendingCommands(self._send)
        self._refused: str | None = None
        self._ack: trio.Event | None = None
        self._clears = 0  # written and not acknowledged
        self._client_tools = ClientTools()

    # -- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Live until the process is reaped. The caller (the pool's nursery) is the owner."""
        self._ready_id = self._pending.command(commands.binary_version)
        try:
            await self.process.run()
        except (OSError, RuntimeError) as error:  # RuntimeError: no more threads
            self.process.fault = f"it cannot be started: {getattr(error, 'strerror', None) or error}"
        finally:
            self._lose()
            self.ended.set()

    def change(self, event: WorkerEvent) -> None:
        """Take an event of the state table."""
        self.state = after(TRANSITIONS, self.state, event)
        self.process.to_foreground()  # a spare starts no more, or is waited for
        if self.state is WorkerState.SETTLING:
            self.at_rest = trio.Event()
        else:
            self.at_rest.set()
        self.on_change(self)

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
        server = TOOL_SERVER if tools else None
        self._initialize_id = self._pending.command(commands.initialize, system=system, server=server, tools=tools)

    def set(self, values: dict[str, Any], key: str | None) -> None:
        """Write settings, unless they are what was last written."""
        if values != self.settings:
            self._write_settings(values)
        self.key = key

    def _write_settings(self, values: dict[str, Any]) -> None:
        self._settings_id = self._pending.command(commands.settings, values=values)
        self.settings = values

    async def append(self, lines: bytes) -> None:
        """Write lines of which the last appends a user message, and wait for the acknowledgement.

        Without the wait the next assistant message would overtake it (observed). Raises WorkerLost.
        """
        self._check()  # of one that is gone nobody would ever acknowledge anything
        self._ack = trio.Event()
        self._send(lines)
        with trio.move_on_after(self.acknowledge_within()):
            await self._ack.wait()
            self._ack = None
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
            self._rewind(held)
            await self._pending.answer(self._rewind_id)
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

    async def initialized_answer(self) -> Initialized:
        """Wait for the answer to `initialize`, which holds the catalogue. For the start-up probe."""
        await self._pending.answer(self._initialize_id)
        self._check()
        if self.initialized is None:
            raise WorkerLost("the CLI's answer to initialize cannot be read")
        return self.initialized

    def ask(
        self, turn: Turn, lines: bytes, *, kept: int = 0, results: Sequence[ToolResult] = (), last_use: bool = False
    ) -> OutputReceiver:
        """Write the question, or the results that a parked turn waits for.

        The outputs come on the channel, which ends after the terminal one. `kept`: entries of the transcript that stay
        when this turn is cut back; `last_use`: the process is of no use after it. Raises WorkerLost.
        """
        self._check()  # the channel of one that is gone would never end
        sender, receiver = open_output_channel()
        self._now = RunningTurn(turn, sender, RetryBlock(self.settings), kept, last_use)
        self.heard_at = self._clock()
        self._acknowledged = False
        self._send(lines + self._client_tools.give(results))
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
        now = self._clock()
        if self._now is not None and now - max(self.heard_at, self._told_at) >= HEARTBEAT_SECONDS:
            self._told_at = now
            self._now.outputs.tell_silence()

    def time_out(self, kind: FailureKind = FailureKind.SILENT) -> None:
        """End the turn under way as one that took too long, and the process with it."""
        if self._now is not None:
            self._now.outputs.end(self._lost(kind))
        self.close(now=True)

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
        finished = self.answer.finished
        return finished is not None and finished.after is After.PARK and not self.launch.whole

    @property
    def is_stuck_warming_up(self) -> bool:
        """Whether the CLI does not answer the question that a spare asks to nobody."""
        return self._warm_up.is_stuck

    @property
    def failed_to_start(self) -> bool:
        """Whether the process ended by itself without a word."""
        return not self._heard and not self.process.was_asked_to_end

    @property
    def has_acknowledged(self) -> bool:
        """Whether the CLI has taken the question, or its settings."""
        return self._acknowledged

    @property
    def hears_upstream(self) -> bool:
        """Whether the upstream has begun to answer the question."""
        return self._now is not None and self._now.turn.has_begun

    def silent_for(self) -> float:
        """Seconds since the CLI last wrote a line; none while it waits for us to read on."""
        return 0.0 if self._delivering_since is not None else self._clock() - self.heard_at

    def unread_for(self) -> float:
        """Seconds for which the reader of the answer has been so far behind that the CLI has to wait."""
        return self._clock() - self._delivering_since if self._delivering_since is not None else 0.0

    def acknowledge_within(self) -> float:
        """How long the CLI may take for its first word after a question: it may still be starting."""
        return ACKNOWLEDGE_SECONDS if self._heard else START_SECONDS

    # -- what the CLI says --------------------------------------------------------------------------------------------

    def _tell_limits(self, windows: Sequence[LimitWindow]) -> None:
        if windows and self.key is not None:
            self.on_limits(self.key, windows)

    def _hear(self) -> None:
        self.heard_at = self._clock()

    async def _on_lines(self, lines: Sequence[bytes]) -> None:
        self._heard = True
        self._hear()
        outputs: list[Output] = []
        now = self._now
        try:
            for line in lines:
                event = e.decode_event(line)
                if now is not None and now.turn.verbatim:
                    outputs.extend(now.turn.passed_on(event, line))
                self._on_event(event, outputs)
        except (e.EventError, TurnError, ImpossibleTransition) as error:
            self.process.fault = str(error)
            outputs.extend(self._lost())
            self.close(now=True)
        if outputs and now is not None:
            if now.answer.finished is not None or now.answer.failed is not None:
                now.outputs.end(outputs)
            else:
                self._delivering_since = self.heard_at
                await now.outputs.deliver(outputs)
                self._delivering_since = None
                self._hear()

    def _on_event(self, event: e.AnyEvent, outputs: list[Output]) -> None:
        # Answers to what was written before the question say nothing of it.
        if not isinstance(event, e.CliResponse) or event.response.request_id == self._settings_id:
            self._acknowledged = True
        match event:
            case e.RateLimit(rate_limit_info=info):
                self._feed(event, outputs)
                self._tell_limits(windows_of_event(info))
            case e.StreamEvent() | e.AssistantLine():
                self._feed(event, outputs)
            case e.CliResponse(response=body):
                self._on_reply(body)
            case e.CliRequest():
                self._send(self._client_tools.take(event))
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
            if isinstance(event, e.StreamEvent) and isinstance(event.event, e.MessageStart):
                self.process.fault = "it asked upstream again by itself"
                self.close(now=True)
            return
        new = now.turn.feed(event)
        if not new:
            return
        outputs.extend(new)
        now.answer.add(new)
        if now.turn.over:
            self._on_over(now, new[-1], event)
        elif self._block_is_due(now, new):
            self._pending.command(commands.settings, values=SETTINGS)
            now.retry_block.is_up = True
            self.settings = None  # they have to be written again before the next question

    def _block_is_due(self, now: RunningTurn, new: Sequence[Output]) -> bool:
        if self.launch.whole:  # from the start on, where the upstream does not tell what uses up the CLI's budget
            return not (now.turn.counts_tokens or now.retry_block.is_up)
        return now.retry_block.is_due(new, invites_another=now.turn.invites_another)

    def _on_over(self, now: RunningTurn, last: Output, event: e.AnyEvent) -> None:
        """The answer is complete, or the turn has failed. Before the next line is looked at, which may be the `result`
        that settles the turn."""
        if isinstance(event, e.StreamEvent) and not isinstance(event.event, e.MessageDelta | e.MessageStop):
            now.cut_back = True
            self._interrupt()  # cut by us, at a stop sequence that the upstream does not take
        elif _would_go_on(last, event) and not (now.retry_block.is_up or now.abandoned or self.launch.whole):
            # In this very moment: about 10 ms later the CLI's next request would be on its way (observed), and an
            # interrupt is read too late to stop it.
            self.close(now=True)
        if not now.abandoned:
            self.on_answer(self)
        if isinstance(last, Finished) and self.state is WorkerState.BUSY:
            self.change(WorkerEvent.CALLED if self.is_in_mid_turn else WorkerEvent.ANSWERED)

    def _on_result(self, event: e.Result, outputs: list[Output]) -> None:
        self._note_cost(event.total_cost_usd)
        if event.num_turns == 0 and not event.is_error and (self._ack is not None or self._clears):
            if self._ack is not None:
                self._ack.set()
            else:
                self._clears -= 1
            return
        self._feed(event, outputs)
        now = self._now
        if now is None or now.settled.is_set() or not (now.turn.over or now.abandoned):
            return
        now.settled.set()
        if self.launch.whole:
            # The CLI's budget for this conversation is spent: a new one begins, while nobody waits for it.
            self._clears += 1
            self._send(commands.clear())
        if self.state is WorkerState.SETTLING:
            self._settle(now)

    def _settle(self, now: RunningTurn) -> None:
        """The CLI has ended the turn: it can be asked again, at once or when it has gone back."""
        if now.last_use or (now.leaves_nothing and not self.launch.goes_back and not self.launch.whole):
            self.close()
        elif self.launch.whole or not now.leaves_nothing:
            self.change(WorkerEvent.SETTLED)
        else:
            self._rewind(self.transcript.cut_point(now.kept))

    def _note_cost(self, total: float) -> None:
        # The CLI's sum begins anew with a cleared conversation.
        new, self._spent = total - self._spent if total >= self._spent else total, total
        if new > 0 and self._now is not None:
            self._now.answer.spend(new)

    def _on_reply(self, body: e.CliResponseBody) -> None:
        if body.request_id == self._ready_id:
            self._on_started()
        elif self._warm_up.takes(body.request_id):
            if self.state is WorkerState.STARTING and not self._warm_up.is_on:
                self.change(WorkerEvent.READY)
        elif body.subtype != "success":
            self._refuse(body.error or "no reason")
        elif body.request_id == self._initialize_id:
            try:
                self.initialized = read_initialized(body.response)
            except msgspec.ValidationError:
                log_event(log, logging.WARNING, "the CLI's catalogue cannot be read", pid=self.process.pid)
        elif body.request_id == self._rewind_id:
            self._on_rewound(body)
        self._pending.answered(body)

    def _refuse(self, reason: str) -> None:
        self._refused = reason
        log_event(log, logging.WARNING, "the CLI refused a command", pid=self.process.pid)
        self.close(now=True)

    def _on_rewound(self, body: e.CliResponseBody) -> None:
        if not rewound(body.response):
            self._refuse("it does not go back")
            return
        self.transcript.cut(self._rewind_to)
        if self.state is WorkerState.SETTLING:
            self.change(WorkerEvent.SETTLED)

    def _on_started(self) -> None:
        if self._warms_up and self.state is WorkerState.STARTING:
            self._warm_up.begin()
            return
        self.process.to_foreground(started=True)
        if self.state is WorkerState.STARTING:
            self._pending.command(commands.settings, values=_WARMING)
            self.change(WorkerEvent.READY)

    # -- within -------------------------------------------------------------------------------------------------------

    def _interrupt(self) -> None:
        self._pending.command(commands.interrupt)

    def _rewind(self, held: int) -> None:
        self._rewind_to = held
        target, last = self.transcript.uuids[held] or "", self.transcript.last_uuid
        self._rewind_id = self._pending.command(commands.rewind, target=target, last=last)

    def _lose(self) -> None:
        """The process is gone: end the turn under way, and let go whoever waits."""
        if self.state is not WorkerState.CLOSING:
            self.change(WorkerEvent.ENDED)
        if self._now is not None:
            self._now.outputs.end(self._lost())
            self._now.settled.set()
        if self._ack is not None:
            self._ack.set()
        self._pending.let_go()

    def _lost(self, kind: FailureKind = FailureKind.CLI) -> Sequence[Output]:
        """End the turn under way as one whose process is gone."""
        if self._now is None:
            return ()
        outputs = self._now.turn.lost(kind)
        self._now.answer.add(outputs)
        return outputs

    def _check(self) -> None:
        if self.state is WorkerState.CLOSING:
            raise WorkerLost(self._refused or self.process.fault or "the CLI ended")


def rewound(answer: msgspec.Raw) -> bool:
    """Whether the CLI says that it has gone back."""
    try:
        return msgspec.json.decode(answer, type=_Rewound).rewound
    except msgspec.ValidationError:
        return False


def _would_go_on(output: Output, event: e.AnyEvent) -> bool:
    """Whether the CLI, left alone, would now ask upstream again by itself. After its `result` line it never does."""
    if isinstance(output, Finished):
        return output.after is After.KILL
    return isinstance(output, Failed) and not isinstance(event, e.Result)
