"""One CLI process: started in its own session, pumped, and ended together with everything it started."""

import math
import os
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

import trio

from claudegwd.claude_cli.lines import LineDecoder, LineTooLongError
from claudegwd.workers.process.group import end_group
from claudegwd.workers.process.lifeline import Lifeline
from claudegwd.workers.process.pipes import read_some
from claudegwd.workers.process.priority import behind_us, to_background, to_foreground
from claudegwd.workers.process.stderr import CliStderr

# Some twenty deltas. A read allocates this much and gives back what it did not need: with a pipe's whole 64 kB, small
# objects that stay allocated fragmented the heap (observed: 13 MB more after 30,000 requests).
READ_BYTES = 8192

# Data that waits for a CLI that does not read: larger than the largest request (server.max_body_bytes, including base64
# and JSON escapes), so that a legitimate one always fits.
MAX_UNWRITTEN_BYTES = 128 * 1024 * 1024

# Between two looks at stderr if nothing waits for what is logged there, so that the log of an answer is read at once
# instead of in several pieces. By transcript, the retry block does wait for it.
PAUSE_SECONDS = 0.1

# The steps of termination. An idle CLI exits 30 ms after its stdin closes and 20 ms after SIGTERM.
EOF_SECONDS = 0.5
TERM_SECONDS = 1.0
REAP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Launch:
    """How a process is started. If keys are configured, the environment holds none: they are sent as settings.

    `warms_up`: a spare may ask a question that goes nowhere, because each request's settings replace all credentials.
    `whole`: requests are sent whole, and the process holds no conversation. `goes_back`: if not whole, it can cut the
    conversation it holds. `passed`: descriptors that it inherits; they must stay open until it has started.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    warms_up: bool = False
    whole: bool = False
    goes_back: bool = True
    passed: tuple[int, ...] = ()


class CliProcess:
    """Owns one process for the duration of `run`. `on_lines` gets whole lines, in order, from the pump's task.

    While `on_lines` waits, nothing is read, so a CLI whose reader is behind blocks as well.
    """

    def __init__(
        self, launch: Launch, on_lines: Callable[[Sequence[bytes]], Awaitable[None]], *, background: bool = False
    ) -> None:
        self._background = background
        self._held_back = True  # at low priority: it is starting, or nobody waits for it
        self._launch = launch
        self._on_lines = on_lines
        self._process: trio.Process | None = None
        self._unwritten: deque[bytes] = deque()
        self._unwritten_bytes = 0
        self._writable = trio.Event()
        self._writing = False
        self._ending = trio.Event()
        self.stderr = CliStderr()
        self.exit_status: int | None = None
        self.fault: str | None = None  # why the stream was abandoned, if it was
        self.left_others = False  # its child processes were still there when it had ended

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def run(self) -> None:
        """Start the process and own it until it is reaped, including its group.

        Raises OSError if it cannot be started. Returns when it has ended by itself, or after `end` or cancellation.
        """
        with closing(Lifeline()) as lifeline:
            self._process = process = await self._open(lifeline)
            self.stderr.attach(process)
            try:
                lifeline.tie(process.pid)
                (to_background if self._background else behind_us)(process.pid)
                if process.stdin is None or process.stdout is None or process.stderr is None:
                    raise OSError("cannot talk to the CLI: it has no pipes")
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.stderr.drain, process.stderr, PAUSE_SECONDS if self._launch.whole else 0.0)
                    nursery.start_soon(self._write, process.stdin)
                    nursery.start_soon(self._end_when_asked, nursery.cancel_scope)
                    await self._pump(process.stdout)
                    nursery.cancel_scope.cancel()
            finally:
                if trio.current_effective_deadline() == -math.inf:  # cancelled: the daemon stops
                    self._ending.set()
                with trio.CancelScope(shield=True):
                    await self._reap(process)

    async def _open(self, lifeline: Lifeline) -> trio.Process:
        launch = self._launch
        # In its own session: signals go to the group, so nothing that the CLI started outlives it.
        return await trio.lowlevel.open_process(
            list(launch.argv),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=dict(launch.env),
            cwd=launch.cwd,
            start_new_session=True,
            pass_fds=(*lifeline.passed, *launch.passed),
        )

    def to_background(self) -> None:
        """It is at rest: what it does, such as collecting garbage, gets only idle time until `to_foreground`."""
        if self._process is not None and not self._held_back:
            self._held_back = self._background = True
            to_background(self._process.pid)

    def to_foreground(self, *, started: bool = False) -> None:
        """It has started; or a request now waits for one that was in the background."""
        if self._process is None:
            self._background = False
        elif self._held_back and (started or self._background):
            self._held_back = False
            to_foreground(self._process.pid)

    @property
    def was_asked_to_end(self) -> bool:
        return self._ending.is_set()

    def send(self, data: bytes) -> None:
        """Queue bytes for the CLI's stdin; never blocks. What fits in the pipe is written at once."""
        if not data:
            return
        if self._process is None or self._process.stdin is None or self._ending.is_set():
            self._unwritten.append(data)
            self._unwritten_bytes += len(data)
            return
        if not self._writing and not self._unwritten:
            try:
                written = os.write(self._process.stdin.fileno(), data)  # type: ignore[attr-defined]
            except BlockingIOError:
                written = 0
            except OSError:
                return  # its end of the pipe is closed: the pump will see EOF
            data = data[written:]
            if not data:
                return
        self._unwritten.append(data)
        self._unwritten_bytes += len(data)
        if self._unwritten_bytes > MAX_UNWRITTEN_BYTES:
            self.fault = "it does not read its input"
            self.end()
            return
        self._writable.set()

    def end(self) -> None:
        """Ask for the kill ladder: stdin EOF, SIGTERM, SIGKILL. Returns at once."""
        self._ending.set()

    def kill(self) -> None:
        """SIGKILL the group immediately, before the CLI can send its next upstream request."""
        self._signal(signal.SIGKILL)
        self.end()

    async def _pump(self, stdout: trio.abc.ReceiveStream) -> None:
        decoder = LineDecoder()
        try:
            while data := await read_some(stdout, READ_BYTES):
                self.stderr.process_has_begun()
                lines = decoder.feed(data)
                if lines:
                    await self._on_lines(lines)
        except LineTooLongError as error:
            self.fault = str(error)
            if error.lines:
                await self._on_lines(error.lines)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        if decoder.unfinished and self.fault is None and not self._ending.is_set():
            self.fault = "its output ended inside a line"

    async def _write(self, stdin: trio.abc.SendStream) -> None:
        self._flush_early()
        try:
            while True:
                await self._writable.wait()
                self._writable = trio.Event()
                while self._unwritten:
                    data = b"".join(self._unwritten)
                    self._unwritten.clear()
                    self._unwritten_bytes = 0
                    self._writing = True
                    await stdin.send_all(data)
                    self._writing = False
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await trio.sleep_forever()  # the pump sees the end; this task must not end first

    def _flush_early(self) -> None:
        if self._unwritten:
            self._writable.set()

    async def _end_when_asked(self, scope: trio.CancelScope) -> None:
        await self._ending.wait()
        scope.cancel()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def _reap(self, process: trio.Process) -> None:
        """The kill ladder. Runs shielded, each step bounded; whatever is left of the group at the end gets SIGKILL."""
        if process.stdin is not None:
            await process.stdin.aclose()
        with trio.move_on_after(EOF_SECONDS):
            await process.wait()
        steps = ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, REAP_SECONDS))
        if await end_group(process, steps):
            self.left_others = True
        self.stderr.take_rest()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                await stream.aclose()
        self.exit_status = process.returncode
