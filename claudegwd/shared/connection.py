"""One connection to Valkey or Redis: many calls at once, answered in their order, and messages in between (RESP3).

hiredis, the servers' own parser, reads; it is loaded with the first connection. It takes 40 us for a call where a whole
client library takes 750 (in a thread) to 1300 (on anyio), and that much is added to each request.
"""

import os
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
ROUNDS: Final = 2  # of the event loop: in one the bytes are seen, in the other they are read
# A call is some hundred bytes, which a socket accepts at once; one that does not has megabytes of them unread.
WRITE_SECONDS: Final = 0.05


Word = str | bytes | int | float  # of a command


class StoreAwayError(Exception):
    """The store does not answer, or not in time: whoever asks goes on by itself."""


class StoreRefusedError(Exception):
    """The store answers, and will not have it: a wrong password, a missing right, a script that it cannot run.

    `code` is its first word, such as WRONGPASS.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]


class StoreUnfitError(Exception):
    """It cannot be used as it is configured, and only a person can help. `setting` is at fault; the text says how."""

    def __init__(self, setting: str, text: str) -> None:
        super().__init__(text)
        self.setting = setting


@dataclass(slots=True)
class _Call:
    """One that waits. `reply` stands once `done` is set; without one the connection is gone."""

    done: trio.Event = field(default_factory=trio.Event)
    reply: Any = None
    answered: bool = False


class StoreConnection:
    """`read` it in a task of its own. `on_message` is told what is published: channel and content. `write_seconds`: how
    long a command may take to be taken."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        on_message: Callable[[bytes, bytes], None],
        write_seconds: float = WRITE_SECONDS,
    ) -> None:
        from hiredis import PushNotification, Reader, ReplyError, pack_command

        self._stream = stream
        self._on_message = on_message
        self._write_seconds = write_seconds
        self._reader = Reader(replyError=ReplyError)
        self._pack: Callable[[Any], bytes] = pack_command
        self._error, self._push = ReplyError, PushNotification
        self._calls: deque[_Call] = deque()
        self._writing = trio.Lock()
        self._reading = trio.CancelScope()
        self._closed = False

    async def call(self, *words: Word, seconds: float) -> Any:
        """One command, and its answer. StoreAwayError: not within so many seconds, or never; StoreRefusedError."""
        call = await self._send(words, expected=True)
        with trio.move_on_after(seconds):
            await call.done.wait()
        if not call.answered:
            # It may have come while the event loop was busy with others: then it is read in the next round.
            for _ in range(ROUNDS):
                await trio.lowlevel.checkpoint()
        if not call.answered:
            raise StoreAwayError(f"no answer within {seconds * 1000:.0f} ms")
        if isinstance(call.reply, self._error):
            raise StoreRefusedError(str(call.reply))
        return call.reply

    async def subscribe(self, *channels: bytes) -> None:
        """Be told of these from now on. Its answers come as messages. StoreAwayError."""
        await self._send(("SUBSCRIBE", *channels), expected=False)

    async def _send(self, words: tuple[Word, ...], *, expected: bool) -> _Call:
        if self._closed or len(self._calls) >= MAX_CALLS:
            raise StoreAwayError
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
            # Whoever asks may leave in the middle, but half a command would be read as one with the next.
            with (
                trio.CancelScope(shield=True, deadline=trio.current_time() + self._write_seconds),
                suppress(trio.BrokenResourceError, trio.ClosedResourceError),
            ):
                await self._stream.send_all(rest)
                return call
        finally:
            self._writing.release()
        self.close()
        raise StoreAwayError

    def _write_at_once(self, data: bytes) -> int:
        """How many bytes the socket takes now. A round of the event loop less than `send_all`: 0.1 ms of a request."""
        if not isinstance(self._stream, trio.SocketStream):
            return 0
        try:
            return os.write(self._stream.socket.fileno(), data)
        except OSError:  # it is full, or broken: `send_all` waits, or says so
            return 0

    async def read(self) -> None:
        """Hand out answers and messages until the connection ends."""
        try:
            with self._reading:
                while data := await self._stream.receive_some(READ_BYTES):
                    self._reader.feed(bytes(data))
                    while (reply := self._reader.gets()) is not False:
                        self._take(reply)
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

    def close(self) -> None:
        """Nobody is answered any more; `read` closes the rest, and ends."""
        self._closed = True
        self._reading.cancel()
        while self._calls:
            self._calls.popleft().done.set()
