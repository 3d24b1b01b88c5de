"""Who changed what over the control socket: written right after the change, in the background, and bounded."""

import json
import logging
import pwd
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

import trio

from claudegwd.logs import event, log
from claudegwd.store.database import Database, StateError
from claudegwd.store.write_behind import write_behind

# Some 200 bytes each; at ten changes a day this is three years.
ROWS_MAX: Final = 10_000
# Changes that wait for a failing disk; they are in the log regardless.
PENDING_MAX: Final = 1000


class AuditEntry(NamedTuple):
    """`fields`: what it was about, only names and states, with `before` and `after` if applicable."""

    at: float
    uid: int | None
    pid: int | None
    user: str
    what: str
    fields: Mapping[str, Any]


class Audit:
    """Give it the state file, and run `run` as a task."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._pending: list[AuditEntry] = []
        self._changed = trio.Event()
        self._failing = False
        self._writing = trio.Lock()  # keeps the order, and readers see what was noted before

    def note(self, uid: int | None, pid: int | None, what: str, fields: Mapping[str, Any]) -> None:
        """Note a change. Never waits."""
        self._pending.append(AuditEntry(self._clock(), uid, pid, "", what, fields))
        del self._pending[:-PENDING_MAX]
        self._changed.set()

    async def rows(self, count: int) -> list[dict[str, Any]]:
        """The last changes, newest last. Raises StateError."""
        await self.flush()
        try:
            found = await self._database.run(last_changes, count)
        except sqlite3.Error as error:
            self._say_failing(error)
            raise StateError("cannot read the changes: the state file is unusable; see the log") from None
        # The disk may not have taken the last ones.
        found += await trio.to_thread.run_sync(_with_names, list(self._pending))
        return [change._asdict() for change in found[-count:]] if count else []

    async def run(self) -> None:
        """Keep writing what is noted; a last time when cancelled."""
        await write_behind(lambda: self._changed, self.flush)

    async def flush(self) -> bool:
        """Write what is noted now; whether that succeeded."""
        async with self._writing:
            return await self._write()

    async def _write(self) -> bool:
        changes, self._pending = self._pending, []
        if not changes:
            self._changed = trio.Event()
            return True
        try:
            # In a thread: names may come over the network.
            changes = await trio.to_thread.run_sync(_with_names, changes)
            await self._database.run(add_changes, changes)
        except trio.Cancelled:  # before it began: a running thread is waited for
            self._pending = changes + self._pending
            raise
        except (sqlite3.Error, StateError) as error:
            self._say_failing(error)
            self._pending = (changes + self._pending)[-PENDING_MAX:]
            return False
        self._failing = False
        return True

    def _say_failing(self, error: Exception) -> None:
        if not self._failing:
            event(log, logging.ERROR, "the audit trail cannot be written; the log contains the change", cause=error)
        self._failing = True


def add_changes(connection: sqlite3.Connection, changes: Iterable[AuditEntry]) -> None:
    """Add them, and delete the oldest above ROWS_MAX."""
    connection.executemany(
        "INSERT INTO audit (at, uid, pid, user, what, fields) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (change.at, change.uid, change.pid, change.user, change.what, json.dumps(dict(change.fields)))
            for change in changes
        ],
    )
    connection.execute("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", (ROWS_MAX,))


def last_changes(connection: sqlite3.Connection, count: int) -> list[AuditEntry]:
    """The newest, in the order in which they were made."""
    found = connection.execute(
        "SELECT at, uid, pid, user, what, fields FROM audit ORDER BY id DESC LIMIT ?", (count,)
    ).fetchall()
    return [
        AuditEntry(at, uid, pid, user, what, json.loads(fields)) for at, uid, pid, user, what, fields in reversed(found)
    ]


def _with_names(changes: Iterable[AuditEntry]) -> list[AuditEntry]:
    """With the current names of the users."""
    changes = list(changes)
    names = {uid: _name_of(uid) for uid in {change.uid for change in changes}}
    return [change._replace(user=names[change.uid]) for change in changes]


def _name_of(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid).pw_name if uid is not None else ""
    except KeyError:
        return ""
