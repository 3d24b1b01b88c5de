"""Where the upstream keys come from, and changes to keys.json. Blocking: call it with ``trio.to_thread.run_sync``.

Order: ``$CREDENTIALS_DIRECTORY/keys.json`` (systemd's LoadCredential), then the keys file, then the older gateway's
CLAUDE_API_KEYS. Having no keys is allowed: then the CLI's own login is used.
"""

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, Final

from claudegwd.atomic import FileState, edit_file, read_state, real_path
from claudegwd.keys.key import KeyStatus, UpstreamKey
from claudegwd.keys.parse import (
    KeysDocument,
    KeysError,
    document_keys,
    document_of,
    dump_document,
    key_entry,
    notes_on,
    parse_document,
)

__all__ = [
    "KeysError",
    "KeysReadOnly",
    "KeysSource",
    "add_key",
    "edit_keys",
    "import_keys",
    "load_keys",
    "read_entries",
    "remove_key",
    "set_key_status",
]

FILE_NAME: Final = "keys.json"
VARIABLE: Final = "CLAUDE_API_KEYS"
FILE_MAX_BYTES: Final = 1 << 20  # a thousand keys with long tokens take much less
_OWNER_ONLY: Final = 0o600
# The environment, and the copies that systemd makes of credentials, are those of the daemon's start.
_RESTART: Final = "change them there, then restart claudegwd"


class KeysReadOnly(KeysError):  # noqa: N818 - it names the fault
    """The keys come from a place that the daemon does not write to."""


@dataclass(frozen=True, slots=True)
class KeysSource:
    """Keys and their origin. ``path``: the file to change, None if ``writable`` is False.

    ``notes``: what the operator should be told (a log line each). ``blank``: there is no file, or nothing in it, as
    opposed to an explicit empty list. ``mend``: how to change what the daemon does not write.
    """

    keys: tuple[UpstreamKey, ...]
    origin: str
    writable: bool
    path: Path | None = None
    notes: tuple[str, ...] = ()
    blank: bool = False
    mend: str = "change them there, then run `claudegwctl reload`"

    def to_edit(self) -> Path:
        """The file to change. Raises KeysReadOnly if there is none."""
        if self.path is None:
            raise KeysReadOnly(
                f"cannot change the keys: they come from {self.origin}, which the daemon does not write; {self.mend}",
                origin=self.origin,
            )
        return self.path


@dataclass(frozen=True, slots=True)
class KeysEdit:
    """The result of a change to keys.json. ``added``: new names."""

    source: KeysSource
    added: tuple[str, ...]


def load_keys(path: Path, env: Mapping[str, str], *, required: bool = False) -> KeysSource:
    """All keys. ``path``: the keys file; ``required`` if the operator named it. KeysError: invalid, too open, missing.

    Call it again on each reload.
    """
    credentials = _credentials_directory(env)
    if credentials is not None:
        state = _read(credentials / FILE_NAME)
        if state.data is not None:
            origin = str(credentials / FILE_NAME)
            _check_mode(state, credentials / FILE_NAME, credentials)
            keys, notes = _parse(state.data, origin)
            blank = _is_blank(state.data)
            return KeysSource(keys, origin, writable=False, notes=notes, blank=blank, mend=_RESTART)
    state = _read(path)
    if state.data is not None:
        _check_mode(state, path, credentials)
        unused = (f"{VARIABLE} is set but ignored: the keys are in {path}",) if env.get(VARIABLE, "").strip() else ()
        inside = credentials is not None and real_path(path).is_relative_to(credentials)
        writable = not inside and os.access(real_path(path).parent, os.W_OK)
        keys, notes = _parse(state.data, str(path))
        blank = _is_blank(state.data)
        return KeysSource(keys, str(path), writable, path if writable else None, unused + notes, blank)
    if required:
        raise KeysError(
            f"cannot find the keys file {path}: create it with "
            f"`install -m 600 /dev/null {quote(str(path))}`, or remove keys.file from the configuration",
            origin=str(path),
        )
    text = env.get(VARIABLE, "").strip()
    if text:
        keys, notes = _parse(text.encode(errors="surrogateescape"), VARIABLE)
        return KeysSource(keys, VARIABLE, writable=False, notes=notes, mend=_RESTART)
    return KeysSource((), str(path), writable=True, path=path, blank=True)


def edit_keys(path: Path, change: Callable[[KeysDocument], bool]) -> KeysEdit:
    """Change keys.json with ``change``, which edits the document in place and returns whether it did.

    Atomic; mode, owner, order and fields that are not ours are kept. ``change`` may be called more than once, if
    something else writes at the same time. The whole result is validated before it is written: on KeysError the file is
    unchanged.
    """
    edits: list[KeysEdit] = []

    def new_content(state: FileState) -> bytes | None:
        data = state.data or b""
        if state.data is not None:
            _check_mode(state, path, None)
        document = parse_document(data, str(path)) if data.strip() else document_of([])
        before = document.names()
        changed = change(document)
        keys, notes = _checked(document, str(path))
        source = KeysSource(keys, str(path), writable=True, path=path, notes=notes)
        edits.append(KeysEdit(source, tuple(key.name for key in keys if key.name not in before)))
        return dump_document(document) if changed or state.data is None else None

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        edit_file(path, new_content, new_mode=_OWNER_ONLY, limit=FILE_MAX_BYTES)
    except OSError as error:
        raise _unusable("write", path, error) from None
    return edits[-1]


def add_key(path: Path, key: UpstreamKey, *, replace: bool = False) -> KeysEdit:
    """Append ``key``; with ``replace``, one of the same name takes its values but keeps its place and other fields."""

    def change(document: KeysDocument) -> bool:
        old = document.entry(key.name)
        if old is None:
            document.entries.append(key_entry(key))
            return True
        if not replace:
            raise KeysError(
                f"cannot add key {key.name!r}: that name is taken; remove the key or choose another name",
                origin=str(path),
                key=key.name,
            )
        for ours in ("token", "base_url", "kind", "status"):
            old.pop(ours, None)
        old.update(key_entry(key))
        return True

    return edit_keys(path, change)


def remove_key(path: Path, name: str) -> KeysEdit:
    """Remove the key ``name``. Raises KeysError if there is none."""

    def change(document: KeysDocument) -> bool:
        document.entries.remove(_entry(document, name, path))
        return True

    return edit_keys(path, change)


def set_key_status(path: Path, name: str, status: KeyStatus) -> KeysEdit:
    """Enable or disable the key ``name``. Raises KeysError if there is none."""

    def change(document: KeysDocument) -> bool:
        entry = _entry(document, name, path)
        if (entry.get("status") or KeyStatus.ACTIVE.value) == status.value:
            return False
        entry["status"] = status.value
        return True

    return edit_keys(path, change)


def rename_key(path: Path, name: str, to: str) -> KeysEdit:
    """Rename the key ``name``; nothing else changes. Raises KeysError if there is none, or the new name is taken."""

    def change(document: KeysDocument) -> bool:
        entry = _entry(document, name, path)
        if to != name and document.entry(to) is not None:
            text = f"cannot rename key {name!r}: the name {to!r} is taken; remove that key or choose another name"
            raise KeysError(text, origin=str(path), key=to)
        entry["name"] = to
        return to != name

    return edit_keys(path, change)


def import_keys(path: Path, keys: Iterable[UpstreamKey]) -> KeysEdit:
    """Append those of ``keys`` whose names are new."""

    def change(document: KeysDocument) -> bool:
        there = document.names()
        new = [key_entry(key) for key in keys if key.name not in there]
        document.entries.extend(new)
        return bool(new)

    return edit_keys(path, change)


def read_entries(entries: list[Any], origin: str) -> tuple[tuple[UpstreamKey, ...], tuple[str, ...]]:
    """Keys from entries of another source, under the file's rules, and notes on them. Raises KeysError."""
    return _checked(document_of(entries), origin)


def _entry(document: KeysDocument, name: str, path: Path) -> dict[str, Any]:
    entry = document.entry(name)
    if entry is None:
        raise KeysError(
            f"cannot find key {name!r} in {path}; `claudegwctl keys list` shows the names", origin=str(path), key=name
        )
    return entry


def _parse(data: bytes, origin: str) -> tuple[tuple[UpstreamKey, ...], tuple[str, ...]]:
    if not data.strip():
        return (), ()  # people start with `install -m 600 /dev/null keys.json`
    return _checked(parse_document(data, origin), origin)


def _checked(document: KeysDocument, origin: str) -> tuple[tuple[UpstreamKey, ...], tuple[str, ...]]:
    keys = document_keys(document, origin)
    return keys, notes_on(document, keys, origin)


def _is_blank(data: bytes) -> bool:
    return b"".join(data.split()) in (b"", b"{}")


def _read(path: Path) -> FileState:
    try:
        return read_state(path, limit=FILE_MAX_BYTES)
    except OSError as error:
        raise _unusable("read", path, error) from None


def _unusable(verb: str, path: Path, error: OSError) -> KeysError:
    # Our own errors have no errno, and a complete text.
    mend = "free some disk space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "check its owner and mode"
    return KeysError(f"cannot {verb} {path}: {error.strerror}; {mend}" if error.errno else str(error), origin=str(path))


def _check_mode(state: FileState, path: Path, credentials: Path | None) -> None:
    """Refuse a file that others can read. systemd's own directory is private, so files in it may be 0440."""
    inside = credentials is not None and real_path(path).is_relative_to(credentials)
    if state.mode & ~(0o440 | _OWNER_ONLY if inside else _OWNER_ONLY):
        raise KeysError(
            f"cannot use {path}: its mode is {state.mode:04o}; only its owner may read it, and it must not be "
            f"executable; run `chmod 600 {quote(str(path))}`",
            origin=str(path),
        )


def _credentials_directory(env: Mapping[str, str]) -> Path | None:
    text = env.get("CREDENTIALS_DIRECTORY", "")
    return real_path(Path(text)) if text else None
