"""The most recent log records in memory, for `claudegwctl logs`, and their followers."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Self

import trio

from claudegwd.logs.entry import LogEntry, at_least

# About a minute of lines under load; at some 300 bytes each, far below a megabyte.
RING_RECORDS: Final = 2000
# A screen or two. A reader that is further behind loses records: the daemon never waits for one.
FOLLOW_RECORDS: Final = 256


class Follower:
    """One reader of what is logged from now on: `async for entry in follower`.

    When it was too slow, it gets an entry that says how many records it lost, in their place.
    """

    def __init__(self, level: str) -> None:
        self.level = level
        self.lost = 0
        self.token: Final = trio.lowlevel.current_trio_token()
        self._send, self._receive = trio.open_memory_channel[LogEntry](FOLLOW_RECORDS)

    def put(self, entry: LogEntry) -> None:
        """Runs on trio's thread. Never blocks."""
        try:
            if self.lost:
                self._send.send_nowait(_gap(self.lost))
                self.lost = 0
            self._send.send_nowait(entry)
        except trio.WouldBlock:
            self.lost += 1
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            # It has just left.
            pass

    def close(self) -> None:
        self._send.close()

    def __aiter__(self) -> AsyncIterator[LogEntry]:
        return self

    async def __anext__(self) -> LogEntry:
        return await self._receive.__anext__()


class LogRing:
    """A bounded memory of records. Appending is safe from every thread and never waits."""

    def __init__(self, records: int = RING_RECORDS) -> None:
        self._records: deque[LogEntry] = deque(maxlen=records)
        self._followers: list[Follower] = []
        self._lock = threading.Lock()
        self._closed = False

    def append(self, entry: LogEntry) -> None:
        with self._lock:
            self._records.append(entry)
            followers = [each for each in self._followers if at_least(entry.level, each.level)]
        here = _token_here()
        for follower in followers:
            if follower.token is here:
                follower.put(entry)
            else:
                with suppress(trio.RunFinishedError):
                    follower.token.run_sync_soon(follower.put, entry)

    def tail(self, count: int, level: str = "debug") -> list[LogEntry]:
        """The last `count` records of at least `level`, the oldest first."""
        if count <= 0:
            return []
        with self._lock:
            found = [entry for entry in self._records if at_least(entry.level, level)]
        return found[-count:]

    @contextmanager
    def follow(self, level: str = "debug") -> Iterator[Follower]:
        """Records from now on. Between this and `tail`, called without an await, no record of this thread is lost."""
        follower = Follower(level)
        with self._lock:
            self._followers.append(follower)
            if self._closed:
                follower.close()
        try:
            yield follower
        finally:
            with self._lock:
                self._followers.remove(follower)
            follower.close()

    def close(self) -> None:
        """End every follower once it has read what is there, because the daemon stops. Call it on trio's thread."""
        with self._lock:
            self._closed = True
            followers = list(self._followers)
        for follower in followers:
            follower.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _gap(lost: int) -> LogEntry:
    return LogEntry(time.time(), "warning", "claudegwd", "records skipped: this reader is too slow", {"lost": lost})


def _token_here() -> trio.lowlevel.TrioToken | None:
    try:
        return trio.lowlevel.current_trio_token()
    except RuntimeError:
        return None
