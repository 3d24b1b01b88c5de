"""The settings under `[shared]`: where several machines keep their shared state. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from claudegwd.config.hosts import is_host
from claudegwd.config.schema import Config

PORT: Final = 6379  # Valkey's and Redis's own

_SCHEMES: Final = {"valkey": False, "redis": False, "valkeys": True, "rediss": True}  # and whether they use TLS
_DATABASE: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
_FORM: Final = (
    'must be an address such as "valkey://10.0.0.2:6379", "valkeys://store.example.org" (with TLS) or '
    '"unix:///run/valkey/valkey.sock"; redis:// and rediss:// are the same'
)
_TOLD_TOO_MUCH: Final = (
    "cannot contain a password, which would be visible: put it into a file, and set shared.password_file"
)


@dataclass(frozen=True, slots=True)
class SharedPlace:
    """A server and one of its databases. `path`: a Unix socket; "" for host and port."""

    host: str = ""
    port: int = PORT
    path: str = ""
    tls: bool = False
    user: str = ""
    database: int = 0

    def __str__(self) -> str:
        """For people; contains no password."""
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_place(url: str) -> SharedPlace:
    """The server in an address. ValueError: its text completes "shared.url …", without showing the address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(_FORM) from None
    if parts.password is not None:
        raise ValueError(_TOLD_TOO_MUCH)
    if parts.fragment or any(character.isspace() for character in url):
        raise ValueError(_FORM)
    user = unquote(parts.username or "")
    if parts.scheme == "unix":
        path = unquote(parts.path)
        if not path.startswith("/") or parts.hostname:
            raise ValueError(_FORM)
        return SharedPlace(path=path, user=user, database=_of_query(parts.query))
    host = parts.hostname or ""
    if parts.scheme not in _SCHEMES or not is_host(host) or parts.query or port == 0:
        raise ValueError(_FORM)
    return SharedPlace(
        host, port or PORT, tls=_SCHEMES[parts.scheme], user=user, database=_number(parts.path.strip("/"))
    )


def check_shared(config: Config) -> tuple[str, str] | None:
    """The key that is wrong, and what to write instead; None if all is well."""
    if not config.shared.url:
        return None
    try:
        read_place(config.shared.url)
    except ValueError as error:
        return "shared.url", str(error)
    return None


def _of_query(query: str) -> int:
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    if pairs.keys() - {"db"}:
        raise ValueError(_FORM)
    return _number(pairs.get("db", ""))


def _number(text: str) -> int:
    if text and not _DATABASE.fullmatch(text):
        raise ValueError("must end in a database number or nothing: valkey://10.0.0.2:6379/1")
    return int(text or 0)
