"""The settings under `[notify]`: where notifications go. Pure."""

from __future__ import annotations

import ipaddress
import re
import shlex
from typing import Final
from urllib.parse import urlsplit

from claudegwd.config.hosts import is_host
from claudegwd.config.schema import Config

# The characters of a request line. Others have to be encoded.
_PLAIN: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)

_COMMAND: Final = (
    'must be a command line, quoted as in a shell, such as "/usr/local/bin/tell-me --soon", or a list such as '
    '["/usr/local/bin/tell-me", "--soon"]'
)
# The value is not shown: addresses of such services contain a secret.
_URL: Final = (
    'must be an https address such as "https://hooks.example.org/gateway", or an http address on this machine such '
    'as "http://127.0.0.1:9000/", without user and password; for anything else use notify.command'
)


def words_of(command: str | tuple[str, ...]) -> tuple[str, ...]:
    """A command as program and arguments; () for none. ValueError if it cannot be parsed."""
    words = tuple(shlex.split(command)) if isinstance(command, str) else command
    if words and (not words[0] or any("\x00" in word for word in words)):
        raise ValueError("no program")
    return words


def check_notify(config: Config) -> tuple[str, str] | None:
    """The key that is wrong, and what to write instead; None if all is well."""
    try:
        words_of(config.notify.command)
    except ValueError:
        return "notify.command", _COMMAND
    url = config.notify.url
    return ("notify.url", _URL) if url and not _may_be_posted_to(url) else None


def _may_be_posted_to(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    if not _PLAIN.fullmatch(url) or not is_host(host) or "@" in parts.netloc or port == 0:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(host))


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def without_secret(url: str) -> str:
    """An address in a form for people: what follows the host is often its only protection."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…" if url else ""
