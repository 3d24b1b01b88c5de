"""keys.json as text: parsing and writing, with errors that name the place and never show a token. Pure.

Format: ``{"claude_api_keys": [{"name", "token", "base_url"?, "kind"?, "status"?, "attribution"?, …}], …}``, or just the
list, as in the older gateway's CLAUDE_API_KEYS. Unknown fields are kept.
"""

import difflib
import ipaddress
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeVar
from urllib.parse import SplitResult, urlsplit

from claudegwd.keys.key import KeyKind, KeyStatus, UpstreamKey

LIST_FIELD: Final = "claude_api_keys"
KEY_FIELDS: Final = ("name", "token", "base_url", "kind", "status", "attribution")
NAME_MAX: Final = 64  # characters; a column of `keys list`
TOKEN_MAX: Final = 8192  # characters; it must fit into an HTTP header, and servers limit those to 8 to 16 KB
URL_MAX: Final = 2048  # longer than any host with a path
KEYS_MAX: Final = 1000  # selecting a key walks the whole ring; nobody has this many accounts

# Not allowed in names: what needs quoting in a URL path or a shell, or could look like an option or like no key at all.
_NAME_REFUSED: Final = re.compile(r"""^[-.]|^\s|\s$|[/\\"'`()<>|;&$*?#%\x00-\x1f\x7f]""")
# Visible ASCII without quotes and backslash: safe both in a header and in a line of any shell. A line break would allow
# injecting a header or a shell command.
_TOKEN_REFUSED: Final = re.compile(r"""[^!-~]|["'`\\]""")
_URL_REFUSED: Final = re.compile(r"""[^!-~]|["'`\\<>{}|^]""")

# Prefixes of Anthropic's own tokens, and how each kind must be sent.
KIND_OF: Final = {"sk-ant-api": KeyKind.API_KEY, "sk-ant-oat": KeyKind.AUTH_TOKEN}
_HEADERS: Final = {KeyKind.API_KEY: "as x-api-key", KeyKind.AUTH_TOKEN: "as a Bearer token"}

# What the CLI adds to a base URL itself. Other programs need it in theirs, so people write it here too.
_OWN_PATH: Final = re.compile(r"(?<!:/)/v1(?:/messages)?/*$")

_E = TypeVar("_E", bound=Enum)


class KeysError(Exception):
    """Keys that cannot be read or written. ``origin``: the file or variable. The text is complete, with no token."""

    def __init__(
        self, message: str, *, origin: str, line: int | None = None, column: int | None = None, key: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.origin = origin
        self.line = line
        self.column = column
        self.key = key


@dataclass(slots=True)
class KeysDocument:
    """The parsed JSON, to be edited in place and written back. ``entries`` is the list inside ``root``."""

    root: Any
    entries: list[Any]
    indent: int | str | None = 2

    def entry(self, name: str) -> dict[str, Any] | None:
        """The entry called ``name``."""
        return next((entry for entry in self.entries if isinstance(entry, dict) and entry.get("name") == name), None)

    def names(self) -> list[Any]:
        """The names in its entries, not validated."""
        return [entry.get("name") for entry in self.entries if isinstance(entry, dict)]


def document_of(entries: list[Any]) -> KeysDocument:
    """A document with these entries: for an empty file, or another source."""
    return KeysDocument({LIST_FIELD: entries}, entries)


def parse_document(data: bytes, origin: str) -> KeysDocument:
    """Parse JSON to a document. Raises KeysError with line and column (both from 1)."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise _at("it is not UTF-8", origin, line, column) from None
    try:
        root = json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, origin))
    except json.JSONDecodeError as error:
        raise _at(_lower_first(error.msg), origin, error.lineno, error.colno) from None
    except (RecursionError, ValueError):  # ValueError: Python converts no integer of thousands of digits
        raise KeysError(f"cannot read {origin}: a value is too long or too deeply nested", origin=origin) from None
    entries = root.get(LIST_FIELD, []) if isinstance(root, dict) else root
    if not isinstance(entries, list):
        where = f"{LIST_FIELD} is not a list" if isinstance(root, dict) else "it is neither an object nor a list"
        raise KeysError(
            f'cannot read {origin}: {where}; write {{"{LIST_FIELD}": [{{"name": …, "token": …}}]}}', origin=origin
        )
    if isinstance(root, dict):
        if root and LIST_FIELD not in root:
            # Probably misspelt: if it counted as no keys, requests would use somebody's login instead.
            raise KeysError(
                f'cannot read {origin}: it has no "{LIST_FIELD}"; write '
                f'{{"{LIST_FIELD}": [{{"name": …, "token": …}}]}}',
                origin=origin,
            )
        root[LIST_FIELD] = entries
    indented = re.search(r"\n([ \t]+)\S", text)
    return KeysDocument(root, entries, indented[1] if indented else (2 if not text.strip() else None))


def document_keys(document: KeysDocument, origin: str) -> tuple[UpstreamKey, ...]:
    """The document's entries, validated. Raises KeysError, which names the entry."""
    if len(document.entries) > KEYS_MAX:
        raise KeysError(f"cannot use {origin}: it has more than {KEYS_MAX} keys", origin=origin)
    keys: dict[str, UpstreamKey] = {}
    for number, entry in enumerate(document.entries, 1):
        key = _key(entry, number, origin)
        if key.name in keys:
            raise _refuse(key.name, "occurs twice; give each key its own name", origin)
        keys[key.name] = key
    return tuple(keys.values())


def dump_document(document: KeysDocument) -> bytes:
    """The document as UTF-8 JSON, with its original indentation."""
    text = json.dumps(document.root, indent=document.indent, ensure_ascii=False) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate in a field that is not ours: it can only be written escaped
        return (json.dumps(document.root, indent=document.indent) + "\n").encode()


def key_entry(key: UpstreamKey) -> dict[str, str | bool]:
    """A new entry for ``key``, with only what differs from the defaults."""
    entry: dict[str, str | bool] = {"name": key.name, "token": key.token}
    if key.base_url:
        entry["base_url"] = key.base_url
    if key.kind is not _kind_without_saying(key.token):
        entry["kind"] = key.kind.value
    if key.status is not KeyStatus.ACTIVE:
        entry["status"] = key.status.value
    if key.attribution is not None:
        entry["attribution"] = key.attribution
    return entry


def notes_on(document: KeysDocument, keys: Iterable[UpstreamKey], origin: str) -> tuple[str, ...]:
    """What may have been meant differently than it was read; `keys` are the document's."""
    notes = []
    for entry, key in zip(document.entries, keys, strict=True):
        whose = f"{origin}: key {key.name!r}"
        if key.base_url and entry.get("base_url") != key.base_url:
            notes.append(f"{whose}: base_url is read as {key.base_url}, since the CLI adds /v1/messages itself")
        own = _own_kind(key.token)
        if own is not None and own is not key.kind:
            says = f"such tokens are sent {_HEADERS[own]}, but kind is {key.kind.value!r}"
            notes.append(f"{whose}: {says}; remove kind if the upstream rejects it")
        elif own is KeyKind.API_KEY and entry.get("kind") is None:
            says = f"its token is sent {_HEADERS[own]}, judging by its prefix"
            notes.append(f"{whose}: {says}; set its kind to change that")
    return tuple(notes)


def _own_kind(token: str) -> KeyKind | None:
    return next((kind for prefix, kind in KIND_OF.items() if token.startswith(prefix)), None)


def _kind_without_saying(token: str) -> KeyKind:
    return _own_kind(token) or KeyKind.AUTH_TOKEN


def _key(entry: object, number: int, origin: str) -> UpstreamKey:
    if not isinstance(entry, dict):
        raise KeysError(
            f'cannot use {origin}: entry {number} is not an object; write {{"name": …, "token": …}}', origin=origin
        )
    name = _name(entry.get("name"), number, origin)
    _refuse_misspelt(entry, name, origin)
    token = _token(entry.get("token"), name, origin)
    return UpstreamKey(
        name,
        token,
        _base_url(entry.get("base_url"), name, origin),
        _choice(KeyKind, entry.get("kind"), _kind_without_saying(token), "kind", name, origin),
        _choice(KeyStatus, entry.get("status"), KeyStatus.ACTIVE, "status", name, origin),
        _attribution(entry.get("attribution"), name, origin),
    )


def _attribution(value: object, name: str, origin: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise _refuse(name, "has an attribution that is neither true nor false", origin)


def _name(value: object, number: int, origin: str) -> str:
    if not isinstance(value, str) or not value:
        raise KeysError(f"cannot use {origin}: entry {number} has no name; give it one", origin=origin)
    if len(value) > NAME_MAX or not value.isprintable() or _NAME_REFUSED.search(value):
        raise KeysError(
            f"cannot use {origin}: the name of entry {number} must be 1 to {NAME_MAX} printable characters, must not "
            "contain slashes, quotes, brackets or anything special in a shell or URL, and must not start with - or .",
            origin=origin,
        )
    return value


def _refuse_misspelt(entry: dict[str, Any], name: str, origin: str) -> None:
    """Other fields are the operator's own. But if base_url is misspelt, the token would go to another host."""
    absent = [field for field in KEY_FIELDS if field not in entry]
    for field in entry:
        if field not in KEY_FIELDS and (near := difflib.get_close_matches(field.lower(), absent, n=1, cutoff=0.75)):
            raise _refuse(name, f"has a field {field!r}; did you mean {near[0]}? If not, give it another name", origin)


def _token(value: object, name: str, origin: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _refuse(name, "has no token", origin)
    if len(value) > TOKEN_MAX:
        raise _refuse(name, f"has a token longer than {TOKEN_MAX} characters", origin)
    if _TOKEN_REFUSED.search(value):
        raise _refuse(
            name,
            "has a token with a space, line break, quote or other character that tokens do not contain; copy it again",
            origin,
        )
    return value


def _base_url(value: object, name: str, origin: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > URL_MAX or _URL_REFUSED.search(value) or not _is_url(value):
        raise _refuse(
            name,
            "has an invalid base_url: use https://host[:port][/path], without user, query or fragment",
            origin,
        )
    if not _is_private(value):
        raise _refuse(
            name,
            "has a base_url without TLS, so its token and all prompts could be read in transit; use https://, or "
            "http:// with an address of this machine (127.0.0.1, [::1], localhost)",
            origin,
        )
    return _OWN_PATH.sub("", value)


def _is_private(url: str) -> bool:
    """Whether nobody can eavesdrop: because of TLS, or because it does not leave the machine."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme == "https" or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_url(value: str) -> bool:
    try:
        parts: SplitResult = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    bare = not (parts.query or parts.fragment or "?" in value or "#" in value or "@" in parts.netloc)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and bare


def _choice(kind: type[_E], value: object, default: _E, field: str, name: str, origin: str) -> _E:
    if value is None:
        return default
    for member in kind:
        if member.value == value:
            return member
    known: Iterable[str] = (repr(member.value) for member in kind)
    raise _refuse(name, f"has an unknown {field}; use {' or '.join(known)}", origin)


def _object(pairs: list[tuple[str, Any]], origin: str) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        # Writing the file back would lose one of the two.
        raise KeysError(f"cannot read {origin}: an object has the same field twice", origin=origin)
    return result


def _at(what: str, origin: str, line: int, column: int) -> KeysError:
    message = f"cannot read {origin}: line {line}, column {column}: {what}; fix the JSON there"
    return KeysError(message, origin=origin, line=line, column=column)


def _refuse(name: str, what: str, origin: str) -> KeysError:
    return KeysError(f"cannot use {origin}: key {name!r} {what}", origin=origin, key=name)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
