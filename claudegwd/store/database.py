"""One SQLite file for everything that must outlive the process. It survives ``kill -9``; a damaged file is set aside.

Only one thread uses the connection at a time, off the event loop: ``await database.run(function, …)``.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from shlex import quote
from typing import Concatenate, Final, ParamSpec, TypeVar

import trio

from claudegwd import contract
from claudegwd.logs import event, log
from claudegwd.store.schema import STEPS, VERSION

# Another daemon on the same file (during a restart) holds the lock for one small transaction.
BUSY_SECONDS: Final = 2.0
# 256 MB in pages of 4 KiB. Rows are bounded where they are inserted; this is the bound for whatever we overlooked.
MAX_PAGES: Final = 65_536
WAL_KEEP_BYTES: Final = 4 << 20  # how much of the log file a checkpoint keeps
SET_ASIDE_KEEP: Final = 3  # damaged files that are kept for inspection

_BROKEN: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_LOCKED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

_P = ParamSpec("_P")
_T = TypeVar("_T")


class StateError(Exception):
    """The state cannot be used. The text says how to fix it."""


class StateInUseError(StateError):
    """Another process holds it. Continuing without it would be wrong: it exists, and will be back."""


class Database:
    """An open state file. ``path`` None: in memory, for a daemon without a writable directory."""

    def __init__(self, path: Path | None, problem: str = "") -> None:
        """Open or create it; blocking. StateError if that is impossible. `problem`: why it is only in memory."""
        self.path = path
        self.problem = problem
        self.generation = 0  # counts the files that were set aside, with all that was written before
        self._one = trio.CapacityLimiter(1)
        self._inode: tuple[int, int] | None = None  # of the open file
        self._connection = self._open()

    async def run(
        self, function: Callable[Concatenate[sqlite3.Connection, _P], _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """``function(connection, …)`` as one transaction, in a thread. Raises sqlite3.Error and what ``function`` does.

        Cancelling waits for the transaction. A broken file is set aside, and the function called again on a new, empty
        one: ``function`` must not have effects elsewhere.
        """
        return await trio.to_thread.run_sync(
            lambda: self.run_blocking(function, *args, **kwargs), limiter=self._one, abandon_on_cancel=False
        )

    @property
    def directory(self) -> Path | None:
        """The state directory; None in memory."""
        return self.path.parent if self.path is not None else None

    def run_blocking(
        self, function: Callable[Concatenate[sqlite3.Connection, _P], _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Like ``run``, for use before the event loop starts and after it has ended."""
        try:
            return self._transaction(lambda connection: function(connection, *args, **kwargs))
        except sqlite3.DatabaseError as error:
            if not _is_one_of(error, _BROKEN):
                raise
            with suppress(sqlite3.Error):
                self._connection.close()
            self._set_aside()
            self._connection = self._open()
            return self._transaction(lambda connection: function(connection, *args, **kwargs))

    async def hold(self) -> bool:
        """Check that the open file is still in place. If it was removed, write everything to a new one: True.

        If another one is there, leave it alone, and say so in `problem`. Raises sqlite3.Error, OSError, StateError.
        """
        return await trio.to_thread.run_sync(self._hold, limiter=self._one, abandon_on_cancel=False)

    def _hold(self) -> bool:
        if self.path is None or self._inode is None or (found := _inode_of(self.path)) == self._inode:
            return False
        if found is not None:
            self.problem = f"{self.path} is no longer the file in use; restart claudegwd to use it"
            return False
        _prepare_directory(self.path)
        fresh = self.path.with_name(f"{self.path.name}.new")
        _rename(fresh, None)
        _private(fresh)
        with closing(sqlite3.connect(fresh)) as copy:
            self._connection.backup(copy)
        _rename(self.path, None)  # leftover log files would be taken for those of the new one
        fresh.rename(self.path)
        self._connection.close()
        self._connection = self._open()
        self.problem = ""
        return True

    def close(self) -> None:
        """Close the file; blocking. Nothing is lost if it is never called."""
        self._connection.close()

    def _transaction(self, function: Callable[[sqlite3.Connection], _T]) -> _T:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = function(connection)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        return result

    def _open(self) -> sqlite3.Connection:
        if self.path is None:
            return _connect(":memory:")
        _prepare(self.path)
        try:
            connection = _connect(str(self.path))
        except sqlite3.DatabaseError as error:
            if _is_one_of(error, _LOCKED):
                raise StateInUseError(
                    f"cannot use the state file {self.path}: another process keeps it locked; stop that process "
                    f"(`fuser {quote(str(self.path))}` shows it)"
                ) from None
            if not _is_one_of(error, _BROKEN):
                raise StateError(f"cannot use the state file {self.path}: {error}") from None
            self._set_aside()
            connection = _connect(str(self.path))
        self._inode = _inode_of(self.path)
        return connection

    def _set_aside(self) -> None:
        """Rename the broken file, with its log files, and log that."""
        if self.path is None:
            return
        aside = self.path.with_name(f"{self.path.name}.broken-{time.time_ns()}")
        try:
            _rename(self.path, aside)
            for old in sorted(self.path.parent.glob(f"{self.path.name}.broken-*[0-9]"))[:-SET_ASIDE_KEEP]:
                _rename(old, None)
        except OSError as error:
            raise StateError(
                f"cannot rename the broken state file {self.path}: {error.strerror}; move it away"
            ) from None
        event(
            log,
            logging.ERROR,
            "the state file was broken; it was renamed and a new one created. Create clients again if they were "
            "only in it; states of upstream keys are learned again",
            file=str(aside),
        )
        self.generation += 1
        _prepare(self.path)


def _prepare(path: Path) -> None:
    """Create the file before SQLite does: for us alone. SQLite's log files get the same mode."""
    try:
        _prepare_directory(path)
        _private(path)
    except OSError as error:
        raise StateError(f"cannot use the state file {path}: {error.strerror}; check its owner") from None


def _prepare_directory(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _private(path: Path) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _inode_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def _rename(path: Path, to: Path | None) -> None:
    """Rename, or remove, a database with the log files that belong to it."""
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            if to is None:
                Path(f"{path}{suffix}").unlink()
            else:
                Path(f"{path}{suffix}").rename(f"{to}{suffix}")


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # Each commit reaches the disk: a revoked client must not return after a power cut.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_KEEP_BYTES}")
        connection.execute(f"PRAGMA max_page_count = {MAX_PAGES}")
        _check(connection)
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()
    if answer != ("ok",):
        broken = sqlite3.DatabaseError(f"quick_check: {answer}")
        broken.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise broken


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not 0 <= version <= VERSION:
        raise StateError(
            f"cannot use the state file {path}: it was written by a newer claudegwd (version {version}, known: "
            f"{VERSION}); install that version, or move the file away"
        )
    for number, step in enumerate(STEPS[version:], version + 1):
        # One script, so that a kill halfway leaves the previous version intact.
        connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")


def _is_one_of(error: sqlite3.DatabaseError, codes: frozenset[int]) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in codes  # the low byte; extended codes refine it


def open_database(env: Mapping[str, str]) -> Database:
    """The state file, or one in memory if no directory is writable. Blocking. Raises StateInUseError."""
    path = contract.state_directory(env) / contract.STATE_NAME
    try:
        return Database(path)
    except StateInUseError:
        raise
    except StateError as error:
        event(log, logging.ERROR, "the state is kept in memory only", problem=str(error))
        return Database(None, str(error))
