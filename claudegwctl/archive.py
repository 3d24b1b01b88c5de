"""One file with everything that a gateway keeps: configuration, upstream keys, state. It holds tokens: 0600.

A tar of at most three files and a manifest. The state is copied through SQLite, so a daemon may run meanwhile; to put
it back, none may.
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claudegwctl.problems import Problem

MANIFEST: Final = "claudegwd-backup.json"
FORMAT: Final = 1
# A state of 400 days has some megabytes; it bounds what a wrong file can take of the disk.
MAX_FILE_BYTES: Final = 2**30
# The state is written in transactions of milliseconds.
LOCK_SECONDS: Final = 10.0
ASIDE_SUFFIX: Final = ".before-restore"


@dataclass(frozen=True)
class Places:
    """Where the three lie, or would lie."""

    config: Path
    keys: Path
    state: Path

    def named(self) -> dict[str, Path]:
        """By their names in the archive."""
        return {"config.toml": self.config, "keys.json": self.keys, "state.db": self.state}


def back_up(places: Places, target: Path, version: str) -> list[str]:
    """Write the archive and answer the names in it. Raises Problem."""
    found: dict[str, bytes] = {}
    for name, path in places.named().items():
        data = _state(path) if name == "state.db" else _read(path)
        if data is not None:
            found[name] = data
    if not found:
        raise Problem(f"cannot back up: there is neither {places.config} nor {places.keys} nor {places.state}")
    manifest = {"format": FORMAT, "version": version, "made": time.time(), "files": sorted(found)}
    try:
        # Nobody else may read it, from its first byte on; and one that is there is not lost by mistake.
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out, tarfile.open(fileobj=out, mode="w") as tar:
            for name, data in {MANIFEST: json.dumps(manifest).encode(), **found}.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode, member.mtime = len(data), 0o600, int(time.time())
                tar.addfile(member, io.BytesIO(data))
    except FileExistsError:
        raise Problem(f"cannot write {target}: there is such a file; name another") from None
    except OSError as error:
        raise Problem(f"cannot write {target}: {error.strerror or 'refused'}") from None
    return sorted(found)


def restore(archive: Path, places: Places) -> dict[str, str]:
    """Put everything back and answer where each went. What lay there is kept beside it. Raises Problem."""
    found = _open(archive)
    done = {}
    for name, path in places.named().items():
        if name not in found:
            continue
        try:
            _replace(path, found[name])
        except OSError as error:
            raise Problem(f"cannot write {path}: {error.strerror or 'refused'}; use sudo if it is not yours") from None
        done[name] = str(path)
    return done


def _open(archive: Path) -> Mapping[str, bytes]:
    found = {}
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                # Only what `back_up` writes: nothing is unpacked by the names in the archive.
                if member.isfile() and member.size <= MAX_FILE_BYTES and (file := tar.extractfile(member)) is not None:
                    found[member.name] = file.read()
        manifest = json.loads(found[MANIFEST])
    except (tarfile.TarError, KeyError, ValueError):
        raise Problem(f"cannot restore {archive}: it was not made by `claudegwctl backup`") from None
    except OSError as error:
        raise Problem(f"cannot read {archive}: {error.strerror or 'refused'}") from None
    if manifest.get("format") != FORMAT:
        raise Problem(f"cannot restore {archive}: a newer version made it; upgrade first")
    return found


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = (path if path.exists() else path.parent).stat()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        if os.geteuid() == 0:
            os.chown(name, owner.st_uid, owner.st_gid)  # the service's user has to read it
        if path.exists():
            path.replace(path.with_name(path.name + ASIDE_SUFFIX))
        for more in ("-wal", "-shm"):  # SQLite's, of the state as it was
            path.with_name(path.name + more).unlink(missing_ok=True)
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror or 'refused'}; use sudo if it is not yours") from None


def _state(path: Path) -> bytes | None:
    """A consistent copy, whoever writes meanwhile."""
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
