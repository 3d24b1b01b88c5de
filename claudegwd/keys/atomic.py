"""Replace a file whole or not at all, under a lock, keeping whose it is and who may read it. Blocking: use a thread."""

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Writers hold the lock for milliseconds. One that holds it longer is stopped or hangs, and a person has to be told.
LOCK_SECONDS: Final = 5.0
_LOCK_POLL_SECONDS: Final = 0.02  # flock has no timeout of its own
# An editor that saves without our lock makes us begin again; one that saves so often is not a person.
EDIT_TRIES: Final = 10


class FileBusy(OSError):  # noqa: N818 - it names the fault
    """Another writer holds the file, or changes it all the time."""


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it was read. ``data`` None: it does not exist."""

    data: bytes | None
    mode: int
    uid: int
    gid: int


def real_path(path: Path) -> Path:
    """``path``, symlinks followed. Unlike by Path.resolve, a loop is left to the open that follows: OSError."""
    return Path(os.path.realpath(path))


def read_state(path: Path, *, limit: int) -> FileState:
    """Read a regular file of at most ``limit`` bytes. OSError; a missing file is a state, not an error."""
    try:
        # Without O_NONBLOCK a FIFO in its place would hold us until somebody writes to it.
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
    path: Path, change: Callable[[FileState], bytes | None], *, new_mode: int, limit: int, lock_dir: Path | None = None
) -> bool:
    """Read, let ``change`` make the new content (None: leave it), replace; whether it was replaced.

    Symlinks are followed; mode and owner are kept, ``new_mode`` is for a new file. Two callers lose nothing: they take
    turns. Somebody without our lock loses nothing either: if the file is another when it comes to replacing, ``change``
    is called again with that. OSError (FileBusy), and whatever ``change`` raises. ``lock_dir``: where the lock file is,
    if not beside the file.
    """
    target = real_path(path)
    with _locked((lock_dir or target.parent) / f".{target.name}.lock"):
        for _ in range(EDIT_TRIES):
            before = read_state(target, limit=limit)
            data = change(before)
            if data is None or data == before.data:
                return False
            if _replace(target, before, data, new_mode, limit):
                return True
    raise FileBusy(f"cannot write {path}: another program keeps changing it; try again")


def _replace(target: Path, before: FileState, data: bytes, new_mode: int, limit: int) -> bool:
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            made = os.fstat(fd)
            if before.data is not None and (before.uid, before.gid) != (made.st_uid, made.st_gid):
                os.fchown(fd, before.uid, before.gid)
            os.fchmod(fd, new_mode if before.data is None else before.mode)
            file.write(data)
            file.flush()
            os.fsync(fd)
        if read_state(target, limit=limit) != before:
            return False
        temporary.replace(target)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)  # else a power cut may bring the old name back
    finally:
        os.close(directory)
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold ``path`` locked. The file stays behind: removing it would let two writers lock two different files."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise FileBusy(f"cannot lock {path}: another program holds it; end that one") from None
                time.sleep(_LOCK_POLL_SECONDS)
        yield
    finally:
        os.close(fd)  # gives the lock back
