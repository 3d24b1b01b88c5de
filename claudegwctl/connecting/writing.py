"""Add this gateway to a client's own configuration, and remove it again.

A copy of the original file is kept beside it. Removing the gateway restores only our settings from that copy, so that
the owner's later changes are kept.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claudegwctl.connecting.clients import ClientProgram, Setting, Wanted
from claudegwctl.connecting.documents import Document
from claudegwctl.problems import Problem
from claudegwd.atomic import put_file

BACKUP_SUFFIX: Final = ".before-claudegwd"
# Far more than any settings take; it bounds what is read.
MAX_FILE_BYTES: Final = 8 * 2**20
_KEY: Final = re.compile(r"cgw-[\w-]*?([\w-]{0,4})\b(?![\w-])")


@dataclass(frozen=True)
class FileChange:
    """A file's text before and after; None: no file. `backup` is the text to keep beside it, if any; `forget_backup`
    says that the existing backup is no longer needed."""

    file: Path
    before: str | None
    after: str | None
    backup: str | None = None
    forget_backup: bool = False

    @property
    def is_none(self) -> bool:
        return self.before == self.after

    def lines(self) -> Iterator[str]:
        """The difference, with keys masked."""
        old, new = (_KEY.sub(r"cgw-…\1", text or "").splitlines() for text in (self.before, self.after))
        yield from difflib.unified_diff(old, new, str(self.file), str(self.file), lineterm="")


def file_of(client: ClientProgram, env: Mapping[str, str], home: Path) -> Path:
    """Where the client keeps its configuration."""
    if client.base is None:
        return home / client.file
    variable, usual = client.base
    return (Path(env[variable]) if env.get(variable) else home / usual) / client.file


def key_in(client: ClientProgram, file: Path) -> str | None:
    """The gateway's key that is already in the client's file."""
    if client.kind is None or not client.kept_key or (text := _read(file)) is None:
        return None
    found = Document(client.kind, text, str(file)).get(client.kept_key)
    return str(found) if isinstance(found, str) and found.startswith("cgw-") else None


def is_connected(client: ClientProgram, file: Path) -> bool:
    """Whether the client's file names this gateway."""
    text = _read(file)
    return text is not None and _holds_us(client, Document(client.kind or "json", text, str(file)))


def connected(client: ClientProgram, to: Wanted, file: Path) -> FileChange:
    """The change that connects it. Raises Problem."""
    file, before = file.resolve(), _read(file)
    document = Document(client.kind or "json", before or "", str(file))
    backup = None if before is None or _holds_us(client, document) else before
    for entry in client.entries(to):
        if (
            not (entry.only_if_missing and document.get(entry.path) is not None)
            and _plain(document.get(entry.path)) != entry.value
        ):
            document.put(entry.path, entry.value)
    return FileChange(file, before, document.text() if _differs(document, client, before) else before, backup)


def disconnected(client: ClientProgram, file: Path) -> FileChange:
    """The change that disconnects it. Raises Problem."""
    file, before = file.resolve(), _read(file)
    kept = _read(_backup(file))
    document = Document(client.kind or "json", before or "", str(file))
    if before is None or not _holds_us(client, document):
        return FileChange(file, before, before)
    earlier = Document(client.kind or "json", kept or "", str(_backup(file)))
    for entry in _ours(client):
        value = earlier.get(entry.path)
        if entry.only_if_missing and (kept is None or document.get(entry.path) != entry.value):
            continue
        document.put(entry.path, value) if value is not None else document.drop(entry.path)
    if kept is not None and _plain(document.data) == _plain(earlier.data):
        return FileChange(file, before, kept, forget_backup=True)
    filling = [(entry.path[0], entry.value) for entry in _ours(client) if entry.only_if_missing]
    if kept is None and all(item in filling for item in document.data.items()):
        return FileChange(file, before, None)
    return FileChange(file, before, document.text(), forget_backup=True)


def apply(change: FileChange) -> None:
    """Make the change: the backup first, then the file, atomically. Raises Problem."""
    if change.is_none:
        return
    try:
        if change.backup is not None:
            _write(_backup(change.file), change.backup, change.file)
        if change.after is None:
            change.file.unlink()
        else:
            _write(change.file, change.after, change.file)
        if change.forget_backup:
            _backup(change.file).unlink(missing_ok=True)
    except OSError as error:
        raise Problem(f"cannot write {change.file}: {error.strerror or 'refused'}; add the lines by hand") from None


def _write(file: Path, text: str, like: Path) -> None:
    """With the mode of `like`, or readable only by its owner: it may contain a key.

    Written by root, it gets the owner of `like` or of the directory: it has to stay readable for whom it belongs to."""
    missing = [each for each in file.parents if not each.exists()]
    found = like.stat() if like.exists() else file.parents[len(missing)].stat()
    owner = (found.st_uid, found.st_gid) if os.geteuid() == 0 else None
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        if owner is not None:
            os.chown(directory, *owner, follow_symlinks=False)
    put_file(file, text.encode(), stat.S_IMODE(found.st_mode) if like.exists() else 0o600, owner)


def _backup(file: Path) -> Path:
    return file.with_name(file.name + BACKUP_SUFFIX)


def _read(file: Path) -> str | None:
    try:
        with file.open("rb") as found:
            data = found.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise Problem(f"cannot edit {file}: it is larger than {MAX_FILE_BYTES // 2**20} MiB")
        return data.decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Problem(f"cannot read {file}: {reason}; add the lines by hand") from None


def _ours(client: ClientProgram) -> list[Setting]:
    return list(client.entries(Wanted("http://127.0.0.1/v1", "", "sonnet")))


def _holds_us(client: ClientProgram, document: Document) -> bool:
    return document.get(_ours(client)[0].path) is not None


def _differs(document: Document, client: ClientProgram, before: str | None) -> bool:
    return before is None or _plain(document.data) != _plain(Document(client.kind or "json", before, "").data)


def _plain(value: object) -> object:
    """The value without the library's own types."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    return str(value) if isinstance(value, str) else int(value) if isinstance(value, int) else value
