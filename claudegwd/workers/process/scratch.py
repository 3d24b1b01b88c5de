"""The workers' scratch directories: HOME and working directory of one process each, mode 0700, removed with it."""

import fcntl
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

PREFIX = "claudegwd-"

# Held as long as the daemon lives, and released by the kernel when it dies. This works even if other daemons cannot see
# its process, as in containers that share the temporary directory.
_LOCK = "owner.lock"
# Levels that are walked at once, with two descriptors each.
MAX_DEPTH = 50
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Scratch:
    """The daemon's directory, with a subdirectory for each process."""

    def __init__(self, root: Path, lock: int) -> None:
        self.root = root
        self._lock: int | None = lock
        self._number = 0

    @classmethod
    def make(cls, parent: Path | None = None) -> "Scratch":
        """A new directory, for this user only. Removes what earlier daemons left behind when they were killed."""
        place = parent or Path(tempfile.gettempdir())
        _remove_orphans(place)
        return cls(*_new_root(place))

    def next(self) -> Path:
        """A new empty directory. Raises OSError if there is no room."""
        self._number += 1
        try:
            return self._made()
        except FileNotFoundError:  # ours was removed, as tmp cleaners do
            self._let_go()
            self.root, self._lock = _new_root(self.root.parent)
            return self._made()

    def _made(self) -> Path:
        path = self.root / f"worker-{self._number}"
        path.mkdir(mode=0o700)
        return path

    def remove(self) -> None:
        remove(self.root)
        self._let_go()

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _new_root(place: Path) -> tuple[Path, int]:
    root = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    # Locked under another name first, so the lock file is never seen unlocked.
    lock = os.open(root / f"{_LOCK}.new", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (root / f"{_LOCK}.new").rename(root / _LOCK)
    return root, lock


def remove(path: Path) -> None:
    """Remove a directory, whatever a command has left in it. Blocking: usually about ten small files."""
    with suppress(OSError):
        parent = os.open(path.parent, _DIRECTORY)
        try:
            _remove_below(parent, path.name)
        finally:
            os.close(parent)


def _remove_below(parent: int, name: str) -> None:
    """Directories may lack permissions for us, or be nested deeper than Python's recursion or our descriptors allow:
    what is too deep is moved to the top. By descriptors, so links that a surviving process makes lead nowhere else."""
    top = _opened(parent, name)
    try:
        aside: list[str] = []
        _empty(top, top, 0, aside)
        while aside:
            _remove_one(top, top, aside.pop(), 0, aside)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def _empty(top: int, directory: int, depth: int, aside: list[str]) -> None:
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(OSError):
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.name, dir_fd=directory)
                elif depth < MAX_DEPTH:
                    _remove_one(top, directory, entry.name, depth + 1, aside)
                else:
                    name = token_hex(16)
                    os.close(_opened(directory, entry.name))  # without permissions it cannot be moved either
                    os.rename(entry.name, name, src_dir_fd=directory, dst_dir_fd=top)
                    aside.append(name)


def _remove_one(top: int, parent: int, name: str, depth: int, aside: list[str]) -> None:
    with suppress(OSError):
        directory = _opened(parent, name)
        try:
            _empty(top, directory, depth, aside)
        finally:
            os.close(directory)
        os.rmdir(name, dir_fd=parent)


def _opened(parent: int, name: str) -> int:
    """A descriptor of a directory of ours, made accessible first if needed. Raises OSError."""
    try:
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    except PermissionError:
        _open_up(parent, name)
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    os.fchmod(descriptor, 0o700)
    return descriptor


def _open_up(parent: int, name: str) -> None:
    if sys.platform == "linux":  # chmod cannot refuse to follow links there
        held = os.open(name, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=parent)
        try:
            Path(f"/proc/self/fd/{held}").chmod(0o700)
        finally:
            os.close(held)
    else:
        os.chmod(name, 0o700, dir_fd=parent, follow_symlinks=False)


def _remove_orphans(place: Path) -> None:
    for path in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if path.lstat().st_uid == os.getuid() and not path.is_symlink() and _is_orphan(path / _LOCK):
                remove(path)


def _is_orphan(lock: Path) -> bool:
    """Whether the lock is free. If it does not exist yet, a daemon is just starting."""
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
