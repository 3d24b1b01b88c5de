"""The lock of the state directory: two daemons in one directory would not see each other's changes, and a client that
is revoked in one would continue in the other."""

import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from claudegwd.atomic import NO_LOCKS
from claudegwd.contract import STATE_LOCK_NAME
from claudegwd.logs import event, log
from claudegwd.store.database import StateError

# Restarts overlap: the previous daemon releases the lock once it has ended its last processes.
TAKE_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.05  # how often the lock is tried meanwhile


class StateLock:
    """Held by the process until it ends, however it ends. The file stays, or two could hold a lock."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / STATE_LOCK_NAME
        self._lock: int | None = None
        self._told = False

    async def take(self, seconds: float = TAKE_SECONDS) -> None:
        """Take it, waiting for the previous holder. StateError if another daemon holds it and does not release it.

        Continues without it if nothing is writable, or locks do not exist: better than not starting.
        """
        self._lock = await trio.to_thread.run_sync(self._open)
        if self._lock is None:
            return
        with trio.move_on_after(seconds):
            while not self._try():  # noqa: ASYNC110 - held by another process
                await trio.sleep(POLL_SECONDS)
            return
        who = _holder(self._lock)
        self.close()
        raise StateError(
            f"cannot use the state in {self._directory}: {who} is using it; stop that process, or use another "
            "directory (STATE_DIRECTORY, or XDG_STATE_HOME)"
        )

    def hold(self) -> bool:
        """Check that the file is still there; True: it was not, and now it is. Blocking. StateError: another daemon has
        taken it."""
        if self._lock is None or _same(self._lock, self._path):
            return False
        lock = self._open()
        if lock is None:
            return False
        before, self._lock = self._lock, lock
        if self._try():
            os.close(before)
            return True
        who = _holder(lock)
        self._lock = before
        os.close(lock)
        raise StateError(
            f"cannot keep using the state in {self._directory}: {who} has started to use it; stop that process"
        )

    def close(self) -> None:
        """Release it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _open(self) -> int | None:
        """The file; None if it cannot be opened: the error of opening the state file says it better."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            return None

    def _try(self) -> bool:
        assert self._lock is not None  # noqa: S101 - for the type checker
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            if not self._told:
                text = "the state directory cannot be locked: two daemons using it would not notice each other"
                event(log, logging.WARNING, text, file=str(self._path))
                self._told = True
            return True
        with suppress(OSError):
            # Only for the message that names us; a full disk is no reason not to start.
            os.truncate(self._lock, 0)
            os.pwrite(self._lock, str(os.getpid()).encode(), 0)
        return True


def _holder(lock: int) -> str:
    found = os.pread(lock, 20, 0).decode(errors="replace").strip()
    return f"process {found}" if found.isdigit() else "another process"


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except OSError:
        return False
