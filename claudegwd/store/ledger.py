"""Usage on disk: written in the background, aggregated as it ages, queried by people.

A request costs one addition in memory. Its usage is on disk a second later, so `kill -9` loses that much.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any, Final, TypeVar

import trio

from claudegwd.ledger.ages import MINUTES_KEPT_SECONDS
from claudegwd.ledger.day import Day, day_of
from claudegwd.ledger.entry import Line, Sums
from claudegwd.ledger.merging import merged
from claudegwd.ledger.query import UsageQuery, shape
from claudegwd.ledger.series import Series
from claudegwd.limits.budget import PERIODS, start_of
from claudegwd.limits.spending import Spending
from claudegwd.logs import event, log
from claudegwd.store.database import Database, StateError
from claudegwd.store.usage_rows import (
    ask_usage,
    has_used,
    join_usage,
    spent_since,
    sums_since,
    weights_since,
    write_usage,
)
from claudegwd.store.write_behind import LAST_WRITE_SECONDS, RETRY_SECONDS

# A crash loses at most this many seconds of usage; each write flushes the disk.
WRITE_SECONDS: Final = 1.0
# How often old rows are aggregated: rarely enough to cost nothing, often enough that each time is quick.
JOIN_SECONDS: Final = 600.0
# Lines that wait for a failing disk, some 500 bytes each; beyond this, requests are counted as lost.
PENDING_MAX: Final = 20_000
# A clock that differs from the elapsed time by more than this was set, or jumped: time servers correct by less.
JUMP_SECONDS: Final = 60.0


Asked = TypeVar("Asked")
Found = TypeVar("Found")


class Ledger:
    """Give it the state file, run `run` as a task. `clock`: wall clock; `elapsed`: one that is never set; seconds."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        self.clock = clock
        self.lost = 0  # requests since the start that were never written
        self.series = Series()
        self._database = database
        self._elapsed = elapsed or _boot_time
        self._offset = self.clock() - self._elapsed()
        self._today = Day(0)
        self._pending: dict[Line, Sums] = {}
        self._changed = trio.Event()
        self._failing = False
        self._join_at = 0.0

    def note(self, line: Line, sums: Sums) -> None:
        """Add what a request used, or what was learned about it later. Never waits."""
        self.series.add(line, sums)
        self._today = self._today.with_line(line, sums)
        self._keep(line, sums)

    def _keep(self, line: Line, sums: Sums) -> None:
        pending = self._pending.get(line)
        if pending is not None:
            pending.add(sums)
        elif len(self._pending) < PENDING_MAX:
            self._pending[line] = sums
            self._changed.set()
        else:
            self.lost += sums.requests

    async def read(self, question: UsageQuery) -> dict[str, Any]:
        """The answer to a question, including what is pending. Raises StateError."""
        found = await self._read(ask_usage, question)
        if not (self._failing and self._pending):
            return found
        # The disk does not take it; it is kept in memory, and counts nevertheless.
        lines = {line: replace(sums) for line, sums in self._pending.items()}
        with closing(Database(None)) as memory:
            await memory.run(write_usage, lines)
            return merged([found, await memory.run(ask_usage, question)])

    async def read_all(self, question: UsageQuery) -> dict[str, Any]:
        """The same for an operator: with `lost`, if anything was. Raises StateError."""
        found = await self.read(question)
        return {**found, "lost": self.lost} if self.lost else found

    async def knows(self, client: str) -> bool:
        """Whether there is usage of a client of this name, who may have been removed. Raises StateError."""
        return await self._read(has_used, client) or any(line.client == client for line in self._pending)

    async def _read(self, read: Callable[[sqlite3.Connection, Asked], Found], asked: Asked) -> Found:
        await self.flush()
        try:
            return await self._database.run(read, asked)
        except sqlite3.Error as error:
            self._say_failing(error)
            raise StateError("cannot read the usage: the state file is unusable; see the log") from None

    def today(self) -> dict[str, Any]:
        """The sums of the current UTC day, including what is pending; `since` is its start."""
        start = day_of(self.clock())
        day = self._today if self._today.start == start else Day(start)
        return {"since": start, **shape(day.failed, day.sums)}

    async def load_today(self) -> None:
        """Load what an earlier run wrote today. A failing disk is logged: the day starts over."""
        start = day_of(self.clock())
        try:
            failed, *sums = await self._database.run(sums_since, start)
        except (sqlite3.Error, StateError) as error:
            self._say_failing(error)
        else:
            self._today = Day(start, Sums(*sums), failed)

    async def tell_spent(self, spending: Spending) -> None:
        """Report what was spent before the start. A failing disk is logged: budgets start over."""
        now = self.clock()
        try:
            for period in PERIODS:
                start = start_of(period, now)
                spending.load(period, start, await self._database.run(spent_since, start))
            for model, heavy, cost in await self._database.run(weights_since, now - MINUTES_KEPT_SECONDS):
                spending.prices.learn(model, heavy, cost)
        except (sqlite3.Error, StateError) as error:
            self._say_failing(error)

    async def run(self) -> None:
        """Keep writing what is pending; a last time when cancelled."""
        try:
            while True:
                with trio.move_on_after(JOIN_SECONDS):
                    await self._changed.wait()
                    await trio.sleep(WRITE_SECONDS)
                self.look_at_clock()
                if not await self.flush():
                    await trio.sleep(RETRY_SECONDS)
                elif self._elapsed() >= self._join_at:
                    await self._join()
        finally:
            with trio.move_on_after(LAST_WRITE_SECONDS, shield=True):
                await self.flush()
            if lost := sum(sums.requests for sums in self._pending.values()):
                self.lost += lost
                event(
                    log, logging.ERROR, "usage was lost: it could not be written before the daemon stopped", lost=lost
                )

    async def flush(self) -> bool:
        """Write what is pending now; whether that succeeded."""
        if not self._pending:
            return True
        lines, self._pending, self._changed = self._pending, {}, trio.Event()
        try:
            await self._database.run(write_usage, lines)
        except trio.Cancelled:  # before it began: a running thread is waited for
            self._take_back(lines)
            raise
        except (sqlite3.Error, StateError) as error:
            self._say_failing(error)
            self._take_back(lines)
            return False
        if self._failing:
            self._failing = False
            event(log, logging.INFO, "usage is written again", lost=self.lost)
        return True

    def _take_back(self, lines: Mapping[Line, Sums]) -> None:
        for line, sums in lines.items():
            self._keep(line, sums)

    async def _join(self) -> None:
        self._join_at = self._elapsed() + JOIN_SECONDS
        try:
            await self._database.run(join_usage, self.clock())
        except (sqlite3.Error, StateError) as error:
            self._say_failing(error)

    def look_at_clock(self) -> None:
        """Log when the clock was set: usage then counts for another minute, and perhaps another day."""
        offset = self.clock() - self._elapsed()
        moved, self._offset = offset - self._offset, offset
        if abs(moved) > JUMP_SECONDS:
            event(
                log, logging.WARNING, "the clock was changed: usage is now recorded under the new time",
                seconds=round(moved),
            )  # fmt: skip

    def _say_failing(self, error: Exception) -> None:
        if not self._failing:
            event(
                log,
                logging.ERROR,
                "usage cannot be written: it is kept in memory until the disk works again",
                cause=error,
            )
        self._failing = True


def _boot_time() -> float:
    # On Linux the monotonic clock stops during sleep, which would look like a jump.
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
