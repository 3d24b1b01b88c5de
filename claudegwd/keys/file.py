"""Where the upstream keys come from, and changes to keys.json. Blocking: call it with ``trio.to_thread.run_sync``.

Order: ``$CREDENTIALS_DIRECTORY/keys.json`` (systemd's LoadCredential), then the keys file, then CLAUDE_API_KEYS of the
older gateway. Having no keys is allowed: the CLI's own login is used then.
"""

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from claudegwd.atomic import FileState, edit_file, read_state, real_path
from claudegwd.keys.key import KeyStatus, UpstreamKey
from claudegwd.keys.parse import (
    KeysDocument,
    KeysError,
    check_key,
    document_keys,
    dump_document,
    empty_document,
    key_entry,
    notes_on,
    parse_document,
)

__all__ = [
    "KeysError",
    "KeysSource",
    "add_key",
    "edit_keys",
    "import_keys",
    "load_keys",
    "remove_key",
    "set_key_status",
]

FILE_NAME: Final = "keys.json"
VARIABLE: Final = "CLAUDE_API_KEYS"
FILE_MAX_BYTES: Final = 1 << 20  # a thousand keys with long tokens take much less
_OWNER_ONLY: Final = 0o600


@dataclass(frozen=True, slots=True)
class KeysSource:
    """Keys and where they are from. ``path``: the file to change, None when ``writable`` is False.

    ``notes``: what the operator should be told (a log line each). ``blank``: nobody has said that there are no keys;
    there only is no file, or nothing in it.
    """

    keys: tuple[UpstreamKey, ...]
    origin: str
    writable: bool
    path: Path | None = None
    notes: tuple[str, ...] = ()
    blank: bool = False


def load_keys(path: Path, env: Mapping[str, str], *, required: bool = False) -> KeysSource:
    """All keys. ``path``: the keys file; ``required`` if the operator named it. KeysError: broken, too open, missing.

    Call it again on each reload.
    """
    credentials = _credentials_directory(env)
    if credentials is not None:
        state = _read(credentials / FILE_NAME)
        if state.data is not None:
            origin = str(credentials / FILE_NAME)
            _check_mode(state, credentials / FILE_NAME, credentials)
            keys, notes = _parse(state.data, origin)
            return KeysSource(keys, origin, writable=False, notes=notes, blank=_is_blank(state.data))
    state = _read(path)
    if state.data is not None:
        _check_mode(state, path, credentials)
        unused = (f"{VARIABLE} is set but not used: {path} holds the keys",) if env.get(VARIABLE, "").strip() else ()
        inside = credentials is not None and real_path(path).is_relative_to(credentials)
        writable = not inside and os.access(real_path(path).parent, os.W_OK)
        keys, notes = _parse(state.data, str(path))
        blank = _is_blank(state.data)
        return KeysSource(keys, str(path), writable, path if writable else None, unused + notes, blank)
    if required:
        raise KeysError(
            f"cannot find the keys file {path}: create it with "
            f"`install -m 600 /dev/null {path}`, or remove keys.file from the configuration",
            origin=str(path),
        )
    text = env.get(VARIABLE, "").strip()
    if text:
        keys, notes = _parse(text.encode(errors="surrogateescape"), VARIABLE)
        return KeysSource(keys, VARIABLE, writable=False, notes=notes)
    return KeysSource((), str(path), writable=True, path=path, blank=True)


def edit_keys(path: Path, change: Callable[[KeysDocument], None]) -> tuple[UpstreamKey, ...]:
    """Change keys.json by ``change``, which works on the document in place; the keys afterwards.

    Atomic, with mode, owner, order and every field that is not ours kept. ``change`` may be called more than once, if
    somebody else writes at the same moment. The result is validated before it is written: KeysError leaves the file as
    it was.
    """
    after: list[tuple[UpstreamKey, ...]] = []

    def new_content(state: FileState) -> bytes | None:
        data = state.data or b""
        if state.data is not None:
            _check_mode(state, path, None)
        document = parse_document(data, str(path)) if data.strip() else empty_document()
        before = dump_document(document)
        change(document)
        after.append(document_keys(document, str(path)))
        changed = dump_document(document)
        return None if changed == before and state.data is not None else changed

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        edit_file(path, new_content, new_mode=_OWNER_ONLY, limit=FILE_MAX_BYTES)
    except OSError as error:
        raise _unusable("write", path, error) from None
    return after[-1]


def add_key(path: Path, key: UpstreamKey, *, replace: bool = False) -> tuple[UpstreamKey, ...]:
    """Append ``key``; with ``replace`` one of the same name gets its values and keeps its place and other fields."""
    check_key(key, "this key")

    def change(document: KeysDocument) -> None:
        old = document.entry(key.name)
        if old is None:
            document.entries.append(key_entry(key))
            return
        if not replace:
            raise KeysError(
                f"cannot add key {key.name!r}: there is one of that name; remove it or choose another name",
                origin=str(path),
                key=key.name,
            )
        for ours in ("token", "base_url", "kind", "status"):
            old.pop(ours, None)
        old.update(key_entry(key))

    return edit_keys(path, change)


def remove_key(path: Path, name: str) -> tuple[UpstreamKey, ...]:
    """Remove the key ``name``. KeysError if there is none."""
    return edit_keys(path, lambda document: document.entries.remove(_entry(document, name, path)))


def set_key_status(path: Path, name: str, status: KeyStatus) -> tuple[UpstreamKey, ...]:
    """Enable or disable the key ``name``. KeysError if there is none."""

    def change(document: KeysDocument) -> None:
        entry = _entry(document, name, path)
        if entry.get("status") is not None or status is not KeyStatus.ACTIVE:
            entry["status"] = status.value

    return edit_keys(path, change)


def rename_key(path: Path, name: str, to: str) -> tuple[UpstreamKey, ...]:
    """Give the key ``name`` another name; its place and all else stay. KeysError if there is none, or one called so."""

    def change(document: KeysDocument) -> None:
        entry = _entry(document, name, path)
        if to != name and document.entry(to) is not None:
            text = f"cannot rename key {name!r}: there is one called {to!r}; remove that one or choose another name"
            raise KeysError(text, origin=str(path), key=to)
        entry["name"] = to

    return edit_keys(path, change)


def import_keys(path: Path, keys: Iterable[UpstreamKey]) -> tuple[str, ...]:
    """Append those of ``keys`` whose name is not there yet; the names that were added."""
    wanted = [check_key(key, "the import") for key in keys]
    added: list[str] = []

    def change(document: KeysDocument) -> None:
        added.clear()
        for key in wanted:
            if document.entry(key.name) is None:
                document.entries.append(key_entry(key))
                added.append(key.name)

    edit_keys(path, change)
    return tuple(added)


def parse_keys(data: bytes, origin: str) -> tuple[tuple[UpstreamKey, ...], tuple[str, ...]]:
    """Keys from JSON that came another way (`keys import`): a list or the object of keys.json; and notes on them.

    KeysError."""
    return _parse(data, origin)


def _entry(document: KeysDocument, name: str, path: Path) -> dict[str, Any]:
    entry = document.entry(name)
    if entry is None:
        raise KeysError(
            f"cannot find key {name!r} in {path}; `claudegwctl keys list` shows the names", origin=str(path), key=name
        )
    return entry


def _parse(data: bytes, origin: str) -> tuple[tuple[UpstreamKey, ...], tuple[str, ...]]:
    if not data.strip():
        return (), ()  # `install -m 600 /dev/null keys.json` is how one begins
    document = parse_document(data, origin)
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
    # Errors of our own have no errno and say it all in their text.
    mend = "make room on its disk" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "check its owner and mode"
    return KeysError(f"cannot {verb} {path}: {error.strerror}; {mend}" if error.errno else str(error), origin=str(path))


def _check_mode(state: FileState, path: Path, credentials: Path | None) -> None:
    """Refuse a file that others can read. systemd's own directory is closed already, and its files may be 0440."""
    inside = credentials is not None and real_path(path).is_relative_to(credentials)
    if state.mode & ~(0o440 | _OWNER_ONLY if inside else _OWNER_ONLY):
        raise KeysError(
            f"cannot use {path}: its mode is {state.mode:04o}, so others can read the tokens or it is executable; "
            f"run `chmod 600 {path}`",
            origin=str(path),
        )


def _credentials_directory(env: Mapping[str, str]) -> Path | None:
    text = env.get("CREDENTIALS_DIRECTORY", "")
    return real_path(Path(text)) if text else None
