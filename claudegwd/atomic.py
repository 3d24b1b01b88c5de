"""Replace files atomically, under a lock, keeping their owner and permissions. Blocking: call it from a thread."""

import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

# Writers hold the lock for milliseconds. One that holds it for longer is stopped or hangs, which the error says.
LOCK_SECONDS: Final = 5.0
_LOCK_POLL_SECONDS: Final = 0.02  # flock has no timeout of its own
# If an editor saves without taking our lock, we start over. Nobody saves this often by hand.
EDIT_TRIES: Final = 10
# Errors of file systems without locks, such as some of networks and containers: there, files are written unlocked.
NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})


class FileBusy(OSError):  # noqa: N818 - it names the fault
    """Another writer has locked the file, or keeps changing it."""


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it was read. ``data`` is None if it does not exist."""

    data: bytes | None
    mode: int
    uid: int
    gid: int


def real_path(path: Path) -> Path:
    """``path`` with symlinks followed. Unlike Path.resolve, it does not raise for a loop; opening the file does."""
    return Path(os.path.realpath(path))


def read_state(path: Path, *, limit: int) -> FileState:
    """Read a regular file of at most ``limit`` bytes. Raises OSError, but not if the file does not exist."""
    try:
        # Without O_NONBLOCK, opening a FIFO in its place would block until somebody writes to it.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return FileState(None, 0, -1, -1)
    with os.fdopen(fd, "rb") as file:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise OSError(f"cannot read {path}: it is not a regular file")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(f"cannot read {path}: it is larger than {limit} bytes")
    return FileState(data, stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid)


def edit_file(
    path: Path,
    change: Callable[[FileState], bytes | None],
    *,
    new_mode: int,
    limit: int,
    lock_dir: Path | None = None,
    seconds: float = LOCK_SECONDS,
    check: Callable[[Path], None] = lambda _: None,
) -> bool:
    """Read the file, and replace it with what ``change`` returns (None: leave it). Returns whether it was replaced.

    Symlinks are followed; mode and owner are kept, and ``new_mode`` is that of a new file. No change is lost: callers
    take turns, waiting for at most ``seconds``, and if somebody changes the file without our lock meanwhile, ``change``
    is called again with the new content. Raises OSError (FileBusy), and whatever ``change`` raises, or
    ``check``, which gets the new content as a file. ``lock_dir``: the directory of the lock file, if not the file's.
    """
    target = real_path(path)

    def still_the_same(made: Path, before: FileState) -> bool:
        check(made)
        return read_state(target, limit=limit) == before

    with locked((lock_dir or target.parent) / f".{target.name}.lock", seconds):
        for _ in range(EDIT_TRIES):
            before = read_state(target, limit=limit)
            data = change(before)
            if data is None or data == before.data:
                return False
            mode = new_mode if before.data is None else before.mode
            owner = None if before.data is None else (before.uid, before.gid)
            if put_file(target, data, mode, owner, partial(still_the_same, before=before)):
                return True
    raise FileBusy(f"cannot write {path}: another program keeps changing it; try again")


def put_file(
    target: Path,
    data: bytes,
    mode: int,
    owner: tuple[int, int] | None = None,
    may: Callable[[Path], bool] = lambda _: True,
) -> bool:
    """Write ``data`` to the file, atomically and durably. Returns False if ``may`` forbids it. Raises OSError.

    ``may`` is called just before the file is replaced, with the new one.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            made = os.fstat(fd)
            if owner is not None and owner != (made.st_uid, made.st_gid):
                os.fchown(fd, *owner)
            os.fchmod(fd, mode)
            file.write(data)
            file.flush()
            os.fsync(fd)
        if not may(temporary):
            return False
        temporary.replace(target)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)  # otherwise a power failure could undo the renaming
    finally:
        os.close(directory)
    return True


@contextmanager
def locked(path: Path, seconds: float = LOCK_SECONDS) -> Iterator[int]:
    """Keep ``path`` locked, and yield its descriptor. Raises FileBusy if it is not free after ``seconds``.

    The file is not removed: otherwise two writers could lock two different files.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _give_to_the_directorys_owner(fd, path.parent)
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise FileBusy(f"cannot lock {path}: another program holds it; stop that program") from None
                time.sleep(_LOCK_POLL_SECONDS)
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
                break
        yield fd
    finally:
        os.close(fd)  # releases the lock


def _give_to_the_directorys_owner(fd: int, directory: Path) -> None:
    """The service's user must be able to open what root has created."""
    owner, made = directory.stat(), os.fstat(fd)
    # Only with a single link: that user may have linked a file of root's here.
    if os.geteuid() == 0 and made.st_uid == 0 and made.st_nlink == 1 and owner.st_uid != 0:
        os.fchown(fd, owner.st_uid, owner.st_gid)
