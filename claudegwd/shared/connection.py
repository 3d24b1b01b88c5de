"""One connection to Valkey or Redis: many concurrent calls, answered in order, with messages in between (RESP3).

Replies are parsed by hiredis, the servers' own parser, loaded with the first connection. A call takes 40 us, where a
full client library takes 750 (in a thread) to 1300 (on anyio), which every request would pay.
"""

import os
import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import trio

READ_BYTES: Final = 64 * 1024  # a reply is some hundred bytes, and many arrive together
# Calls that wait for their replies. More than there are concurrent requests; beyond this the store is too slow to be of
# use.
MAX_CALLS: Final = 4096
ROUNDS: Final = 2  # of the event loop: one to see the bytes, one to read them
# A call is some hundred bytes, which a socket accepts at once; one that does not has megabytes of them unread.
WRITE_SECONDS: Final = 0.05


Word = str | bytes | int | float  # of a command


class StoreAwayError(Exception):
    """The store does not answer, or not in time: the caller continues without it."""


class StoreRefusedError(Exception):
    """The store refuses the command: a wrong password, a missing permission, a script that it cannot run.

    `code` is its first word, such as WRONGPASS.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]


class StoreUnfitError(Exception):
    """The store cannot be used as configured, and only a person can help. `setting` is at fault; the text says how."""

    def __init__(self, setting: str, text: str) -> None:
        super().__init__(text)
        self.setting = setting


def cause_of(error: BaseException) -> str:
    """Why there is no connection, in words."""
    while error.__cause__ is not None or isinstance(error, BaseExceptionGroup):
        # The first of the addresses that were tried.
        error = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(error, ssl.SSLError):
        return "TLS failed: it may not be set up there"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or "it does not answer"


@dataclass(slots=True)
class _Call:
    """A pending call. When `done` is set, it has been answered with `reply`, or the connection is gone."""

    done: trio.Event = field(default_factory=trio.Event)
    reply: Any = None
    answered: bool = False


class StoreConnection:
    """`read` it in its own task. `on_message` gets what is published: channel and content. `write_seconds`: how long
    the server may take to accept a command."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        on_message: Callable[[bytes, bytes], None],
        write_seconds: float = WRITE_SECONDS,
    ) -> None:
        from hiredis import ProtocolError, PushNotification, Reader, ReplyError, pack_command

        self._stream = stream
        self._on_message = on_message
        self._write_seconds = write_seconds
        self._reader = Reader(replyError=ReplyError)
        self._pack: Callable[[Any], bytes] = pack_command
        self._error, self._push, self._garbage = ReplyError, PushNotification, ProtocolError
        self._calls: deque[_Call] = deque()
        self._writing = trio.Lock()
        self._reading = trio.CancelScope()
        self._closed = False
        self.end = "the connection ended"  # why it is closed

    async def call(self, *words: Word, seconds: float) -> Any:
        """Send one command; returns its reply. Raises StoreRefusedError, and StoreAwayError if none comes in time."""
        call = await self._send(words, expected=True)
        with trio.move_on_after(seconds):
            await call.done.wait()
        if not call.answered:
            # It may have arrived while the event loop was busy: then the next round reads it.
            for _ in range(ROUNDS):
                await trio.lowlevel.checkpoint()
        if not call.answered:
            raise StoreAwayError(self.end if self._closed else f"no answer within {seconds * 1000:.0f} ms")
        if isinstance(call.reply, self._error):
            raise StoreRefusedError(str(call.reply))
        return call.reply

    async def subscribe(self, *channels: bytes) -> None:
        """Subscribe to these channels. The replies arrive as messages. Raises StoreAwayError."""
        await self._send(("SUBSCRIBE", *channels), expected=False)

    async def _send(self, words: tuple[Word, ...], *, expected: bool) -> _Call:
        if self._closed or len(self._calls) >= MAX_CALLS:
            raise StoreAwayError(self.end if self._closed else "too many calls wait for an answer")
        call, data = _Call(), self._pack(words)
        if self._writing.locked():
            await self._writing.acquire()
        else:
            self._writing.acquire_nowait()
        try:
            if expected:
                self._calls.append(call)
            rest = data[self._write_at_once(data) :]
            if not rest:
                return call
            # The caller may be cancelled halfway, but half a command would be parsed together with the next.
            with (
                trio.CancelScope(shield=True, deadline=trio.current_time() + self._write_seconds),
                suppress(trio.BrokenResourceError, trio.ClosedResourceError),
            ):
                await self._stream.send_all(rest)
                return call
        finally:
            self._writing.release()
        self.close()
        raise StoreAwayError(self.end)

    def _write_at_once(self, data: bytes) -> int:
        """Write what the socket takes now; returns the count. Saves a round of the event loop: 0.1 ms of a request."""
        if not isinstance(self._stream, trio.SocketStream):
            return 0
        try:
            return os.write(self._stream.socket.fileno(), data)
        except OSError:  # it is full or broken: `send_all` waits or raises
            return 0

    async def read(self) -> None:
        """Dispatch replies and messages until the connection ends."""
        try:
            with self._reading:
                while data := await self._stream.receive_some(READ_BYTES):
                    self._reader.feed(bytes(data))
                    while (reply := self._reader.gets()) is not False:
                        self._take(reply)
        except self._garbage:  # another program listens there, or a proxy answers for the store
            self.close("what answers is neither Valkey nor Redis")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.close()
            await trio.aclose_forcefully(self._stream)

    def _take(self, reply: Any) -> None:
        if isinstance(reply, self._push):
            if reply[0] == b"message":
                self._on_message(reply[1], reply[2])
        elif self._calls:
            call = self._calls.popleft()
            call.reply, call.answered = reply, True
            call.done.set()

    def close(self, why: str = "") -> None:
        """Fail all pending calls; `read` then closes the stream and returns."""
        if why and not self._closed:
            self.end = why
        self._closed = True
        self._reading.cancel()
        while self._calls:
            self._calls.popleft().done.set()
