"""Which responses were created in the background, so that their status is known even after a restart.

Only the fact is recorded, never any content: the id, the owner, the time, and the model.
"""

import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from claudegwd.logs import event, log
from claudegwd.store.database import Database, StateError

KEPT_SECONDS: Final = 24 * 3600.0  # since they were started: polling clients ask every few seconds
ROWS_MAX: Final = 10_000  # of all clients, some 100 bytes each; the oldest are removed


@dataclass(frozen=True, slots=True)
class Lost:
    """A response that an earlier run of the gateway began. `created`: seconds since the epoch."""

    created: int
    model: str


class BackgroundRecord:
    """Give it the state file and `load` it. A failing disk is logged; responses are created anyway."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._lost: dict[tuple[str, str], Lost] = {}
        self._failing = False

    async def load(self) -> None:
        """Look up what earlier runs began."""
        rows = await self._run(_load, self._clock() - KEPT_SECONDS) or []
        self._lost = {(owner, ident): Lost(created, model) for owner, ident, created, model in rows}

    async def begin(self, owner: str, ident: str, created: int, model: str) -> None:
        """One begins; once this returns, a restart will know of it."""
        await self._run(_insert, (owner, ident, created, model))

    async def forget(self, owner: str, ident: str) -> bool:
        """Its client deleted it; whether it was a lost one."""
        await self._run(_delete, owner, ident)
        return self._lost.pop((owner, ident), None) is not None

    def lost(self, owner: str, ident: str) -> Lost | None:
        """The owner's response if it was begun before the last restart."""
        found = self._lost.get((owner, ident))
        return found if found is not None and self._clock() - found.created <= KEPT_SECONDS else None

    async def _run(
        self, function: Callable[..., list[tuple[str, str, int, str]]], *values: object
    ) -> list[tuple[str, str, int, str]]:
        try:
            found = await self._database.run(function, *values)
        except (sqlite3.Error, StateError) as error:
            if not self._failing:
                event(log, logging.ERROR, "background responses cannot be recorded", cause=error)
            self._failing = True
            return []
        self._failing = False
        return found


def _load(connection: sqlite3.Connection, since: float) -> list[tuple[str, str, int, str]]:
    connection.execute("DELETE FROM background WHERE created < ?", (since,))
    return connection.execute("SELECT owner, ident, created, model FROM background").fetchall()


def _insert(connection: sqlite3.Connection, row: tuple[str, str, int, str]) -> list[tuple[str, str, int, str]]:
    connection.execute("INSERT OR REPLACE INTO background (owner, ident, created, model) VALUES (?, ?, ?, ?)", row)
    connection.execute(
        "DELETE FROM background WHERE rowid <= (SELECT rowid FROM background ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
        (ROWS_MAX,),
    )
    return []


def _delete(connection: sqlite3.Connection, owner: str, ident: str) -> list[tuple[str, str, int, str]]:
    connection.execute("DELETE FROM background WHERE owner = ? AND ident = ?", (owner, ident))
    return []
