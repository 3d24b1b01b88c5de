"""Background responses that are being created: their events so far, for any reader.

A response is a sequence of events, numbered from 0. Readers come and go; none of them delays the response.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import Final

import trio

from claudegwd.openai_api.errors import TooMany
from claudegwd.openai_api.sse import KEEP_ALIVE

# Running responses of one client: as many as the queue holds for all clients by default, and each of them waits there.
MAX_RUNNING: Final = 64
# Events of all finished responses; the oldest are dropped, and then only the response itself is shown.
MAX_BYTES: Final = 32 * 1024 * 1024
# Events of one response, running or not: some 100,000 words. A longer one is shown once it is complete.
MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
_END: Final = b"\n\n"


class RunningResponse:
    """One response. `show` returns its object in its current state, `cancel` ends it."""

    def __init__(self, show: Callable[[], bytes], cancel: Callable[[], None]) -> None:
        self.show = show
        self.cancel = cancel
        self.ended = False
        self.size = 0
        self.is_whole = True  # none of its events was dropped
        self._events: list[bytes] = []
        self._changed = trio.Event()

    def add(self, written: bytes) -> None:
        """Take one or several events as sent; comments between them are dropped."""
        for piece in written.split(_END):
            if piece and not piece.startswith(b":"):
                self._events.append(piece + _END)
                self.size += len(piece)
        if self.size > MAX_EVENT_BYTES:
            self.forget()
        self._tell()

    def end(self) -> None:
        """Nothing more will come."""
        self.ended = True
        self._tell()

    def forget(self) -> None:
        """Drop its events; readers are cut off."""
        self.is_whole = False
        self.size = 0
        self._events.clear()
        self._tell()

    async def follow(self, after: int, heartbeat: float) -> AsyncIterator[bytes]:
        """Its events from number `after` + 1 to the last, with a comment for each heartbeat of silence."""
        number = after + 1
        while self.is_whole:
            while number < len(self._events):
                number += 1
                yield self._events[number - 1]
            if self.ended:
                return
            with trio.move_on_after(heartbeat) as silence:
                await self._changed.wait()
            if silence.cancelled_caught:
                yield KEEP_ALIVE

    async def until_ended(self) -> None:
        """Wait until nothing more will come."""
        while not self.ended:
            await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


class RunningResponses:
    """The running ones, and the events of finished ones, within bounds. Each owner sees only its own."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max = max_bytes
        self._running: dict[tuple[str, str], RunningResponse] = {}
        self._over: OrderedDict[tuple[str, str], RunningResponse] = OrderedDict()
        self._idle = trio.Event()

    def check_room(self, owner: str) -> None:
        """Raises TooMany if the owner has as many as allowed."""
        if sum(whose == owner for whose, _ in self._running) >= MAX_RUNNING:
            raise TooMany(
                f"cannot start another background response: {MAX_RUNNING} are running; wait for one to finish, or "
                "cancel one"
            )

    def begin(self, owner: str, ident: str, running: RunningResponse) -> None:
        """Another one is running. Raises like `check_room`."""
        self.check_room(owner)
        self._running[owner, ident] = running

    def end(self, owner: str, ident: str) -> None:
        """It has ended; its events are kept for a while."""
        running = self._running.pop((owner, ident))
        running.end()
        self._over[owner, ident] = running
        while sum(over.size for over in self._over.values()) > self._max or len(self._over) > self._max // 1024:
            self._over.popitem(last=False)[1].forget()
        if not self._running:
            self._idle.set()
            self._idle = trio.Event()

    def get(self, owner: str, ident: str) -> RunningResponse | None:
        """One of the owner's, running or just ended."""
        return self._running.get((owner, ident)) or self._over.get((owner, ident))

    def forget(self, owner: str, ident: str) -> None:
        """Drop the events of one that has ended."""
        over = self._over.pop((owner, ident), None)
        if over is not None:
            over.forget()

    async def until_idle(self) -> None:
        """Wait until none is running."""
        while self._running:
            await self._idle.wait()
