"""What a CLI writes to stderr: the log of its client library, and what it says if it cannot start."""

import logging
import os
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

import trio

from claudegwd.claude_cli.client_log import ClientLog, Rejection
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.redact import redact
from claudegwd.workers.process.pipes import read_some

# A request logs some 4 kB; larger reads would fragment the heap, like those of stdout.
READ_BYTES = 8192
PIPE_READS = 8  # what a pipe holds on most systems

# A failing CLI can write stack traces in a loop: this much of its stderr is logged, the rest is counted.
MAX_STDERR_LINES = 50
MAX_STDERR_LINE_BYTES = 2000

# If a CLI exits at once, its last lines say why; before its first event it has read nothing from a client.
LAST_WORDS_LINES = 4
LAST_WORDS_CHARACTERS = 400


class CliStderr:
    """Call `attach` once the process runs. `drain` reads output as it arrives; `hear` reads what is already there,
    before something that depends on it."""

    def __init__(self) -> None:
        self.on_upstream: Callable[[], None] = lambda: None  # the client library logged something about the upstream
        self.on_sent: Callable[[], None] = lambda: None  # the CLI has sent a question upstream
        self.on_rejected: Callable[[Rejection], None] = lambda _: None  # the upstream has rejected it
        self.on_limits: Callable[[Mapping[str, str]], None] = lambda _: None  # an answer's headers about limits
        self._process: trio.Process | None = None
        self._rest = b""
        self._lines = 0
        self._client_log = ClientLog()
        self._last_words: deque[bytes] | None = deque(maxlen=LAST_WORDS_LINES)  # None: it has started

    @property
    def last_words(self) -> str:
        """The end of it, if the process never wrote to stdout; redacted."""
        # Each by itself: it may have been cut within a token.
        lines = (redact(line.decode("utf-8", "replace").strip()) for line in self._last_words or ())
        return " / ".join(line for line in lines if line)[-LAST_WORDS_CHARACTERS:]

    def reset_at(self, now: float) -> float | None:
        """When the limit named in the upstream's last answer ends. Both times are wall-clock seconds."""
        self.hear()
        return self._client_log.reset_at(now)

    def process_has_begun(self) -> None:
        """It has written to stdout: from now on, what it writes here may quote a client."""
        self._last_words = None

    def attach(self, process: trio.Process) -> None:
        """Read from this process."""
        self._process = process

    async def drain(self, stderr: trio.abc.ReceiveStream, pause: float = 0.0) -> None:
        """Read it until it ends; once nothing is left, look again after `pause` seconds."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await read_some(stderr, READ_BYTES):
                self._take(data)
                if pause and self.hear():
                    await trio.sleep(pause)

    def hear(self) -> bool:
        """Read what it has written: when both pipes are readable, stdout may have been read first. Returns whether that
        was all."""
        return not all(self._read() for _ in range(PIPE_READS))

    def take_rest(self) -> None:
        """The process is gone; its last output may not have been read yet."""
        if self._last_words is None:
            return
        self.hear()
        self._take(b"\n")  # ends an unterminated last line

    def _read(self) -> bool:
        """Take what one read gives, without waiting; False if there is nothing now, or it is closed."""
        if self._process is None or self._process.stderr is None:
            return False
        try:
            data = os.read(self._process.stderr.fileno(), READ_BYTES)  # type: ignore[attr-defined]
        except OSError:
            return False
        self._take(data)
        return bool(data)

    def _take(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[:MAX_STDERR_LINE_BYTES]
        for line in lines:
            if self._client_log.takes(line):
                self.on_upstream()
                if self._client_log.take_sent():
                    self.on_sent()
                if rejection := self._client_log.take_rejection():
                    self.on_rejected(rejection)
                if headers := self._client_log.take_headers():
                    self.on_limits(headers)
            else:
                self._note(line)

    def _note(self, line: bytes) -> None:
        if self._last_words is not None and line.strip():
            self._last_words.append(line[:MAX_STDERR_LINE_BYTES])
        self._lines += 1
        if self._lines > MAX_STDERR_LINES or not line.strip():
            return
        # Only its length: the CLI's text may quote what a client wrote.
        pid = self._process.pid if self._process is not None else None
        log_event(log, logging.DEBUG, "the CLI wrote to stderr", pid=pid, bytes=len(line))
