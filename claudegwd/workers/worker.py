"""A worker: one CLI process and the conversation in it. The pool owns it; a request only borrows it."""

import logging
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import msgspec
import trio

from claudegwd.claude_cli import commands
from claudegwd.claude_cli import events as e
from claudegwd.claude_cli.launch import TOOL_SERVER
from claudegwd.keys.failures import FailureKind
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.translate.answer import Answer
from claudegwd.translate.catalogue import Initialized, read_initialized
from claudegwd.translate.history import Result
from claudegwd.translate.turn import After, Failed, Finished, Output, Turn, TurnError
from claudegwd.workers.client_tools import ClientTools
from claudegwd.workers.dialogue import Dialogue
from claudegwd.workers.outlet import Outlet, Reader
from claudegwd.workers.process import CliProcess, Launch
from claudegwd.workers.rehearsal import Rehearsal
from claudegwd.workers.states import WorkerEvent, WorkerState, after
from claudegwd.workers.wall import SETTINGS, Wall

# How often a silent turn is told to its reader, who writes a comment: proxies and clients give up on a silent
# connection after 30 to 60 s.
HEARTBEAT_SECONDS = 15.0

# Settings that change nothing. The first that a process takes cost it some 40 ms more than later ones (observed), so a
# spare that does not rehearse takes some while nobody waits for it.
_WARMING: dict[str, Any] = {"env": {"CLAUDE_CODE_EXTRA_BODY": ""}}

_numbers = count(1)


class WorkerLost(Exception):  # noqa: N818 - named after what happened
    """The process ended, spoke nonsense or refused a command."""


class Worker:
    """Fields that others read: state, client, base and digest of its conversation, when it was last used, uses."""

    def __init__(
        self, launch: Launch, clock: Callable[[], float], *, background: bool = False, rehearses: bool = False
    ) -> None:
        self.number = next(_numbers)
        self.launch = launch
        self.state = WorkerState.STARTING
        self.process = CliProcess(launch, self._on_lines, background=background)
        self.client: str | None = None
        self.base: bytes | None = None  # the digest of what `initialize` fixed, and of the client
        self.digest: bytes | None = None  # of the conversation that it holds
        self.settings: dict[str, Any] | None = None  # what was last written, credentials included
        self.key: str | None = None
        self.uses = 0
        self.started_at = clock()
        self.used_at = self.started_at
        self.heard_at = self.started_at
        self.initialized: Initialized | None = None
        self.session_id = ""
        self.settled = trio.Event()
        self.ended = trio.Event()
        self.on_change: Callable[[Worker], None] = lambda _: None
        self.on_answer: Callable[[Worker], None] = lambda _: None  # the answer is complete, or the turn failed
        self.on_settled: Callable[[Worker], None] = lambda _: None  # the CLI has ended the turn on its side
        self.on_spent: Callable[[float], None] = lambda _: None  # US dollars that the last turns cost, by the CLI
        self._spent = 0.0  # what the CLI says its conversation has cost in all
        self._clock = clock
        self._heard = False
        self._told_at = self.started_at
        self._ready_id = ""
        self._initialize_id = ""
        self._turn: Turn | None = None
        self._answer = Answer()
        self._outlet = Outlet()
        self._rehearses = rehearses
        self._rehearsal = Rehearsal(self.process.send, clock)
        self._send = self._rehearsal.send
        self._dialogue = Dialogue(self._send)
        self._wall = Wall()
        self._refused: str | None = None
        self._ack: trio.Event | None = None
        self._client_tools = ClientTools()

    # -- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Live until the process is reaped. The caller (the pool's nursery) is the owner."""
        self._ready_id = self._dialogue.command(commands.binary_version)
        try:
            await self.process.run()
        except OSError as error:
            self.process.fault = f"it cannot be started: {error.strerror}"
        finally:
            self._lose()
            self.ended.set()

    def change(self, event: WorkerEvent) -> None:
        """Take an event of the state table."""
        self.state = after(self.state, event)
        self.process.to_foreground()  # a spare starts no more, or is waited for
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
        self._turn = None
        self._answer = Answer()

    def initialize(self, system: str, tools: Sequence[Any]) -> None:
        """Write system prompt and tools; once in a worker's life."""
        self._client_tools.manifest = tools
        server = TOOL_SERVER if tools else None
        self._initialize_id = self._dialogue.command(commands.initialize, system=system, server=server, tools=tools)

    def set(self, values: dict[str, Any], key: str | None) -> None:
        """Write settings, unless they are what was last written."""
        if values != self.settings:
            self._write_settings(values)
        self.key = key

    def _write_settings(self, values: dict[str, Any]) -> None:
        self._dialogue.command(commands.settings, values=values)
        self.settings = values
        self._wall.is_up = False

    async def append(self, lines: bytes) -> None:
        """Write lines of which the last appends a user message, and wait for the acknowledgement.

        Without the wait the next assistant message would overtake it (observed).
        """
        self._ack = trio.Event()
        self._send(lines)
        await self._ack.wait()
        self._ack = None
        self._check()

    async def initialized_answer(self) -> Initialized:
        """Wait for the answer to `initialize`, which holds the catalogue. For the start-up probe."""
        await self._dialogue.answer(self._initialize_id)
        self._check()
        if self.initialized is None:
            raise WorkerLost("the CLI's answer to initialize cannot be read")
        return self.initialized

    @property
    def is_answering(self) -> bool:
        """Whether a turn is under way whose answer is not complete."""
        return self._outlet.is_open

    def ask(self, turn: Turn, lines: bytes, results: Sequence[Result] = ()) -> Reader:
        """Write the question, or the results that a parked turn waits for.

        The outputs come on the channel, which ends after the terminal one.
        """
        self._turn = turn
        self._answer = Answer()
        self.settled = trio.Event()
        receive = self._outlet.open()
        self.heard_at = self._clock()
        self._wall.begin(self.settings)
        if lines:
            self._send(lines)
        self._send(self._client_tools.give(results))
        return receive

    def tell_silence(self) -> None:
        """Give the reader an empty batch if the turn has been silent for a heartbeat. For the pool's sweep: one timer
        for all streams costs less than one for each event."""
        now = self._clock()
        if self._outlet.is_open and now - max(self.heard_at, self._told_at) >= HEARTBEAT_SECONDS:
            self._told_at = now
            self._outlet.tell_silence()

    def time_out(self) -> None:
        """End the turn under way as one that took too long, and the process with it."""
        self._outlet.end(self._lost(FailureKind.SILENT))
        self.close(now=True)

    @property
    def answer(self) -> Answer:
        """What the turn under way, or the last one, has said so far."""
        return self._answer

    @property
    def is_settling(self) -> bool:
        """Whether the answer is complete and only the CLI's own end of the turn is awaited."""
        return self.state is WorkerState.BUSY and self._turn is not None and self._turn.over

    @property
    def is_stuck_rehearsing(self) -> bool:
        """Whether the CLI does not answer the question that a spare asks to nobody."""
        return self._rehearsal.is_stuck

    @property
    def failed_to_start(self) -> bool:
        """Whether the process ended by itself without a word."""
        return not self._heard and not self.process.was_asked_to_end

    def silent_for(self) -> float:
        """Seconds since the CLI last wrote a line."""
        return self._clock() - self.heard_at

    # -- what the CLI says --------------------------------------------------------------------------------------------

    async def _on_lines(self, lines: Sequence[bytes]) -> None:
        self._heard = True
        self.heard_at = self._clock()
        outputs: list[Output] = []
        try:
            for line in lines:
                self._on_event(e.decode_event(line), outputs)
        except (e.EventError, TurnError) as error:
            self.process.fault = str(error)
            outputs.extend(self._lost())
            self.close(now=True)
        if outputs:
            if self._answer.finished is not None or self._answer.failed is not None:
                self._outlet.end(outputs)
            else:
                await self._outlet.deliver(outputs)

    def _on_event(self, event: e.AnyEvent, outputs: list[Output]) -> None:
        match event:
            case e.StreamEvent() | e.AssistantLine() | e.RateLimit():
                self._feed(event, outputs)
            case e.ControlResponse(response=body):
                self._on_reply(body)
            case e.ControlRequest():
                self._send(self._client_tools.take(event))
            case e.Result():
                self._on_result(event, outputs)
            case e.System(subtype="init", session_id=session):
                self.session_id = session

    def _feed(self, event: e.AnyEvent, outputs: list[Output]) -> None:
        if self._turn is None:
            return
        if self._turn.over:
            if isinstance(event, e.StreamEvent) and isinstance(event.event, e.MessageStart):
                # The CLI goes on by itself, for example because it answered a call that it took for invalid.
                self.close(now=True)
            return
        new = self._turn.feed(event)
        if not new:
            return
        outputs.extend(new)
        self._answer.add(new)
        if self._wall.is_due(new, invites_another=self._turn.invites_another) and not self._turn.over:
            self._dialogue.command(commands.settings, values=SETTINGS)
            self._wall.is_up = True
        if self._turn.over:
            if _would_go_on(new[-1], event):
                # In this very moment: about 10 ms later the CLI's next request would be on its way (observed), and an
                # interrupt is read too late to stop it.
                self.close(now=True)
            elif self._wall.is_up and self.settings is not None:
                self._write_settings(self.settings)
            # Before the next line is looked at, which may be the `result` that settles the turn.
            self.on_answer(self)

    def _on_result(self, event: e.Result, outputs: list[Output]) -> None:
        self._note_cost(event.total_cost_usd)
        if self._ack is not None and event.num_turns == 0 and not event.is_error:
            self._ack.set()
            return
        self._feed(event, outputs)
        if self._turn is not None and self._turn.over and not self.settled.is_set():
            self.on_settled(self)
            self.settled.set()

    def _note_cost(self, total: float) -> None:
        # The CLI's sum begins anew with a cleared conversation.
        new, self._spent = total - self._spent if total >= self._spent else total, total
        if new > 0:
            self.on_spent(new)

    def _on_reply(self, body: e.ResponseBody) -> None:
        if body.request_id == self._ready_id:
            self._on_started()
        elif self._rehearsal.takes(body.request_id):
            if self.state is WorkerState.STARTING and not self._rehearsal.is_on:
                self.change(WorkerEvent.READY)
        elif body.subtype != "success":
            self._refused = body.error or "no reason"
            log_event(log, logging.WARNING, "the CLI refused a command", pid=self.process.pid)
            self.close(now=True)
        elif body.request_id == self._initialize_id:
            try:
                self.initialized = read_initialized(body.response)
            except msgspec.ValidationError:
                log_event(log, logging.WARNING, "the CLI's catalogue cannot be read", pid=self.process.pid)
        self._dialogue.answered(body)

    def _on_started(self) -> None:
        if self._rehearses and self.state is WorkerState.STARTING:
            self._rehearsal.begin()
            return
        self.process.to_foreground(started=True)
        if self.state is WorkerState.STARTING:
            self._dialogue.command(commands.settings, values=_WARMING)
            self.change(WorkerEvent.READY)

    # -- within -------------------------------------------------------------------------------------------------------

    def _lose(self) -> None:
        """The process is gone: end the turn under way, and let go whoever waits."""
        if self.state is not WorkerState.CLOSING:
            self.change(WorkerEvent.ENDED)
        self._outlet.end(self._lost())
        self.settled.set()
        if self._ack is not None:
            self._ack.set()
        self._dialogue.let_go()

    def _lost(self, kind: FailureKind = FailureKind.CLI) -> Sequence[Output]:
        """End the turn under way as one whose process is gone."""
        outputs = self._turn.lost(kind) if self._turn is not None else ()
        self._answer.add(outputs)
        return outputs

    def _check(self) -> None:
        if self.state is WorkerState.CLOSING:
            raise WorkerLost(self._refused or self.process.fault or "the CLI ended")


def _would_go_on(output: Output, event: e.AnyEvent) -> bool:
    """Whether the CLI, left alone, would now ask upstream again by itself. After its `result` line it never does."""
    if isinstance(output, Finished):
        return output.after is After.KILL
    return isinstance(output, Failed) and not isinstance(event, e.Result)
