"""Key states and counters on disk: loaded once, then written in the background.

State changes are written at once, counters at most once a second. Requests never wait for the disk.
"""

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import trio

from claudegwd.keys.answers import RingChange
from claudegwd.keys.entry import RememberedKey
from claudegwd.keys.ring import KeyRing
from claudegwd.keys.states import KeyState
from claudegwd.logs import event, log
from claudegwd.store.database import Database, StateError

COUNTERS_SECONDS: Final = 1.0  # counters may be a second old after a crash; state changes are written at once
# A full or unplugged disk stays that way for a while; each retry would write a log line.
RETRY_SECONDS: Final = 10.0
# How long shutdown may wait for a disk that hangs.
LAST_FLUSH_SECONDS: Final = 2.0
# This many keys that were removed from keys.json keep their counters, in case they come back.
ROWS_MAX: Final = 2000


def load_key_rows(connection: sqlite3.Connection) -> list[RememberedKey]:
    """Every readable row; deletes the oldest above ROWS_MAX."""
    connection.execute(
        "DELETE FROM keys WHERE name NOT IN (SELECT name FROM keys ORDER BY written DESC LIMIT ?)", (ROWS_MAX,)
    )
    rows = connection.execute(
        "SELECT name, digest, state, until, repeats, requests, failures, tokens, last_error, last_error_at, last_used, "
        "forbidden FROM keys"
    )
    return [row for row in map(_row, rows) if row is not None]


def save_key_rows(connection: sqlite3.Connection, rows: Iterable[RememberedKey], now: float) -> None:
    """Insert or replace ``rows``."""
    connection.executemany(
        "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                row.name, row.digest, row.state.value, row.until, row.repeats, row.requests, row.failures, row.tokens,
                row.last_error, row.last_error_at, row.last_used, json.dumps(dict(row.forbidden)), now,
            )
            for row in rows
        ],
    )  # fmt: skip


def _row(columns: tuple[Any, ...]) -> RememberedKey | None:
    try:
        return RememberedKey(
            name=columns[0],
            digest=columns[1],
            state=KeyState(columns[2]),
            until=columns[3],
            repeats=columns[4],
            requests=columns[5],
            failures=columns[6],
            tokens=columns[7],
            last_error=columns[8],
            last_error_at=columns[9],
            last_used=columns[10],
            forbidden={model: float(until) for model, until in json.loads(columns[11]).items()},
        )
    except (ValueError, TypeError, AttributeError):
        return None  # a state of a later version: it is learned again


class KeyMemory:
    """Keeps the ring's states on disk. Give ``note`` to the ring as ``on_change``, and run ``run`` as a task.

    ``clock``: wall clock, seconds.
    """

    def __init__(self, database: Database, ring: KeyRing, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._written: dict[str, RememberedKey] = {}
        self._generation = database.generation
        self._changed = trio.Event()
        self._urgent = trio.Event()
        self._failing = False

    async def load(self) -> None:
        """Tell the ring what the last run knew, before the first request. A failing disk is logged, not raised."""
        try:
            rows = await self._database.run(load_key_rows)
        except (sqlite3.Error, StateError) as error:
            self._say_failing(error)
            return
        self._written = {row.name: row for row in rows}
        self._ring.remember(rows, self._clock())

    def note(self, change: RingChange) -> None:
        """The ring changed. Fast; for the event loop's thread."""
        self._changed.set()
        if change is RingChange.STATE:
            self._urgent.set()

    async def run(self) -> None:
        """Keep writing what is noted; a last time when cancelled."""
        try:
            while True:
                await self._changed.wait()
                with trio.move_on_after(COUNTERS_SECONDS):
                    await self._urgent.wait()
                # New events first: what is noted during the write goes into the next one.
                self._changed, self._urgent = trio.Event(), trio.Event()
                if not await self.flush():
                    await trio.sleep(RETRY_SECONDS)
                    self._changed.set()
        finally:
            with trio.move_on_after(LAST_FLUSH_SECONDS, shield=True):
                await self.flush()

    async def flush(self) -> bool:
        """Write what differs from the disk now; whether that succeeded."""
        try:
            await self._write()
        except (sqlite3.Error, StateError) as error:
            self._say_failing(error)
            return False
        if self._failing:
            self._failing = False
            event(log, logging.INFO, "key states are written again")
        return True

    async def _write(self) -> None:
        while True:
            current = self._ring.remembered()
            rows = [row for row in current if self._written.get(row.name) != row]
            if rows:
                await self._database.run(save_key_rows, rows, self._clock())
            # Keys that have been removed are forgotten here: over months there may be any number of them.
            self._written = {row.name: row for row in current}
            if self._generation == self._database.generation:
                return
            # The file was broken: the new one holds only what was just written.
            self._generation = self._database.generation
            self._written.clear()

    def _say_failing(self, error: Exception) -> None:
        if not self._failing:
            event(
                log, logging.ERROR, "key states cannot be written; they are kept in memory and lost at a restart",
                cause=error,
            )  # fmt: skip
        self._failing = True
