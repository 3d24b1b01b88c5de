"""Writes log lines to stderr without ever waiting for its reader: a blocking write would stop the event loop."""

from __future__ import annotations

import os
import select
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TextIO

# A writable pipe accepts this much at once; writing no more at a time means that no write blocks.
CHUNK_BYTES: Final = select.PIPE_BUF

Write = Callable[[bytes], int]  # returns how much was written; raises BlockingIOError instead of waiting


class Stderr:
    """A stream that drops lines if they are not read, as by a paused terminal, a full pipe or a blocked log driver."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rest = b""  # the rest of a line that was written in part
        self._write = _writer(stream)

    def write(self, text: str) -> None:
        """Write a line. If it raises OSError (BlockingIOError if nobody reads) or ValueError, the line is lost."""
        if self._write is None:
            self._stream.write(text)
            self._stream.flush()
            return
        self._finish()
        self._rest = text.encode(errors="backslashreplace")
        before = len(self._rest)
        try:
            self._finish()
        except OSError:
            if len(self._rest) == before:  # nothing of it was written
                self._rest = b""
                raise

    def _finish(self) -> None:
        assert self._write is not None  # noqa: S101 - for the type checker
        while self._rest:
            taken = self._write(self._rest[:CHUNK_BYTES])
            self._rest = self._rest[taken:]


def _writer(stream: TextIO) -> Write | None:
    """How to write to it without waiting; None if it is not a file of the system."""
    try:
        descriptor = stream.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError):
        return None
    if stat.S_ISSOCK(mode):
        connected = socket.socket(fileno=os.dup(descriptor))
        return lambda data: connected.send(data, socket.MSG_DONTWAIT)
    if stat.S_ISCHR(mode) and os.isatty(descriptor):
        # O_NONBLOCK would apply to the shell as well, which shares the open file: so the terminal is opened again.
        # (poll only says whether there is room for one byte, which is not enough.)
        with suppress(OSError):
            own = os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            return lambda data: os.write(own, data)
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        return lambda data: _write_if_ready(descriptor, data)
    return lambda data: os.write(descriptor, data)


def _write_if_ready(descriptor: int, data: bytes) -> int:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError
    return os.write(descriptor, data)
