"""Back up everything that a gateway keeps (configuration, upstream keys, state) to one file, and restore it.

The file is a tar of at most four files and a manifest; it contains tokens, so its mode is 0600. The state is copied
through SQLite, so the daemon may be running. During a restore it must not be, which the lock on its state ensures.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sqlite3
import stat
import tarfile
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claudegwctl.problems import Problem, unwritable
from claudegwd.atomic import FileBusy, locked, put_file, real_path
from claudegwd.contract import CONFIG_NAME, KEYS_NAME, SEAL_NAME, STATE_LOCK_NAME, STATE_NAME

MANIFEST: Final = "claudegwd-backup.json"
FORMAT: Final = 1
# 400 days of state take a few megabytes; the limit bounds what is read from a wrong file.
MAX_FILE_BYTES: Final = 2**30
# The daemon's transactions on the state take milliseconds.
LOCK_SECONDS: Final = 10.0
ASIDE_SUFFIX: Final = ".before-restore"
KEPT_MAX: Final = 100  # earlier copies of each file: people restore a few times at most
# A daemon holds the lock on its state for as long as it runs: there is nothing to wait for.
IN_USE_SECONDS: Final = 0.2


@dataclass(frozen=True)
class Restored:
    """A restored file. `kept` is the copy of the previous one, if that was different."""

    path: Path
    kept: Path | None = None


@dataclass(frozen=True)
class Places:
    """The paths of the files, which need not exist. Beside the state is the key that encrypts kept responses."""

    config: Path
    keys: Path
    state: Path

    def named(self) -> dict[str, Path]:
        """The paths by their names in the archive."""
        seal = self.state.with_name(SEAL_NAME)
        return {CONFIG_NAME: self.config, KEYS_NAME: self.keys, STATE_NAME: self.state, SEAL_NAME: seal}


def back_up(places: Places, target: Path, version: str) -> list[str]:
    """Write the archive and return the names in it. Raises Problem."""
    found: dict[str, bytes] = {}
    for name, path in places.named().items():
        data = _state(path) if name == STATE_NAME else _read(path)
        if data is not None:
            found[name] = data
    if not found:
        raise Problem(f"cannot back up: none of {places.config}, {places.keys} and {places.state} exists")
    manifest = {"format": FORMAT, "version": version, "made": time.time(), "files": sorted(found)}
    made = False
    try:
        # Readable by nobody else from the first byte on, and never overwriting an existing file.
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        made = True
        with os.fdopen(handle, "wb") as out, tarfile.open(fileobj=out, mode="w") as tar:
            for name, data in {MANIFEST: json.dumps(manifest).encode(), **found}.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode, member.mtime = len(data), 0o600, int(time.time())
                tar.addfile(member, io.BytesIO(data))
    except FileExistsError:
        raise Problem(f"cannot write {target}: the file already exists; choose another name") from None
    except OSError as error:
        if made:
            target.unlink(missing_ok=True)  # an incomplete archive is useless
        raise unwritable(target, error) from None
    return sorted(found)


def restore(archive: Path, places: Places) -> dict[str, Restored]:
    """Restore every file and return what was done with each. Replaced files are kept. Raises Problem."""
    found = _open(archive)
    wanted = {name: path for name, path in places.named().items() if name in found}
    if not wanted:
        raise Problem(f"cannot restore {archive}: it is empty")
    done: dict[str, Restored] = {}
    folder = at = places.state.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(folder / STATE_LOCK_NAME, IN_USE_SECONDS):
            for name, path in wanted.items():
                at = path
                done[name] = _put_back(name, real_path(path), found[name])
    except FileBusy:
        raise Problem(
            f"cannot restore: a running claudegwd uses {folder}; stop it first (`claudegwctl stop`)"
        ) from None
    except OSError as error:
        begun = f"; {', '.join(done)} had already been restored" if done else ""
        raise Problem(f"{unwritable(at, error)}{begun}") from None
    return done


def _open(archive: Path) -> Mapping[str, bytes]:
    found = {}
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                # Only read into memory: nothing is unpacked to a path that the archive names.
                if member.isfile() and member.size <= MAX_FILE_BYTES and (file := tar.extractfile(member)) is not None:
                    found[member.name] = file.read()
        manifest = json.loads(found[MANIFEST])
        newer = manifest["format"] != FORMAT
    except (tarfile.TarError, KeyError, ValueError, TypeError, RecursionError):
        raise Problem(f"cannot restore {archive}: it was not made by `claudegwctl backup`") from None
    except OSError as error:
        raise Problem(f"cannot read {archive}: {error.strerror or 'refused'}") from None
    if newer:
        raise Problem(f"cannot restore {archive}: it was made by a newer version; upgrade first")
    return found


def _put_back(name: str, path: Path, data: bytes) -> Restored:
    """Write the file and keep the previous one beside it. An identical file is left alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.stat() if path.exists() else None
    if before is not None and name != STATE_NAME and path.read_bytes() == data:
        return Restored(path)
    like = before or path.parent.stat()
    mode = stat.S_IMODE(before.st_mode) if before is not None else 0o644 if name == CONFIG_NAME else 0o600
    kept: list[Path] = []

    def keep(_: Path) -> bool:
        if before is not None:
            kept.append(_keep(path))
        return True

    # Written by root, it gets the owner of the previous file or of the directory: the service's user has to read it.
    put_file(path, data, mode, (like.st_uid, like.st_gid) if os.geteuid() == 0 else None, keep)
    return Restored(path, kept[0] if kept else None)


def _keep(path: Path) -> Path:
    """Rename the existing file to a free name, and with a state its write-ahead log (the last transactions)."""
    names = [f"{path.name}{ASIDE_SUFFIX}", *(f"{path.name}{ASIDE_SUFFIX}.{n}" for n in range(2, KEPT_MAX + 1))]
    aside = next((path.with_name(name) for name in names if not path.with_name(name).exists()), None)
    if aside is None:
        raise FileExistsError(errno.EEXIST, f"{KEPT_MAX} earlier copies are already there; move them away", str(path))
    path.rename(aside)
    with suppress(FileNotFoundError):
        path.with_name(f"{path.name}-wal").rename(aside.with_name(f"{aside.name}-wal"))
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    return aside


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror or 'refused'}; use sudo if it is not yours") from None


def _state(path: Path) -> bytes | None:
    """A consistent copy, even while the daemon is writing."""
    if not path.exists():
        return None
    try:
        with (
            tempfile.TemporaryDirectory(prefix="claudegwctl") as folder,
            closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=LOCK_SECONDS)) as source,
            closing(sqlite3.connect(Path(folder) / "copy")) as copy,
        ):
            source.backup(copy)
            copy.commit()
            return (Path(folder) / "copy").read_bytes()
    except (sqlite3.Error, OSError) as error:
        raise Problem(f"cannot read the state {path}: {error}; use sudo if it is not yours") from None
