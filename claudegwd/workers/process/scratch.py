"""Scratch directories of the workers: HOME and working directory of one process each, 0700, gone with it."""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

PREFIX = "claudegwd-"

# Held for as long as the daemon lives, and let go by the kernel when it dies: also where another daemon cannot see its
# process, as in a container that shares the temporary directory.
_LOCK = "owner.lock"


class Scratch:
    """One directory of the daemon's, with one below it for each process."""

    def __init__(self, root: Path, lock: int) -> None:
        self.root = root
        self._lock: int | None = lock
        self._number = 0

    @classmethod
    def make(cls, parent: Path | None = None) -> "Scratch":
        """A new directory, of this user only. What an earlier daemon left behind when it was killed is removed."""
        place = parent or Path(tempfile.gettempdir())
        _remove_orphans(place)
        return cls(*_new_root(place))

    def next(self) -> Path:
        """A new empty directory. Raises OSError where there is no room."""
        self._number += 1
        try:
            return self._made()
        except FileNotFoundError:  # ours was removed, as cleaners of temporary directories do
            self._let_go()
            self.root, self._lock = _new_root(self.root.parent)
            return self._made()

    def _made(self) -> Path:
        path = self.root / f"worker-{self._number}"
        path.mkdir(mode=0o700)
        return path

    def remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        self._let_go()

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _new_root(place: Path) -> tuple[Path, int]:
    root = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    # Taken under another name: whoever sees the lock file finds it locked.
    lock = os.open(root / f"{_LOCK}.new", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (root / f"{_LOCK}.new").rename(root / _LOCK)
    return root, lock


def remove(path: Path) -> None:
    """Remove one worker's directory. Blocking: some ten small files."""
    shutil.rmtree(path, ignore_errors=True)


def _remove_orphans(place: Path) -> None:
    for path in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if path.lstat().st_uid == os.getuid() and not path.is_symlink() and _is_orphan(path / _LOCK):
                remove(path)


def _is_orphan(lock: Path) -> bool:
    """Whether nobody holds the lock. One that is not there yet belongs to a daemon that is just starting."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
