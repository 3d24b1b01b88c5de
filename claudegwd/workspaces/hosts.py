"""The host that a page is fetched from, as the CLI will understand the URL. Pure."""

import re
from ipaddress import IPv4Address
from typing import Final
from urllib.parse import urlsplit

# The CLI understands more in the place of a host ("\\" ends it, "%2e" is a dot, "ｅ" an e), and would fetch from
# another one than we checked.
_HOST: Final = re.compile(r"[a-z0-9._-]+")


def host_of(url: object) -> str:
    """The host of a plain URL; "" for any other."""
    if not isinstance(url, str):
        return ""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    host = (parts.hostname or "").removesuffix(".")
    plain = parts.scheme in ("http", "https") and port is None and "@" not in parts.netloc and url.isprintable()
    return host if plain and _HOST.fullmatch(host) and not _other_spelling(host) else ""


def _other_spelling(host: str) -> bool:
    """Whether it is an IP address in a form that no rule names, such as 127.1 or 0x7f000001."""
    last = host.rpartition(".")[2]
    if not re.fullmatch(r"\d+|0x[0-9a-f]*", last):
        return False
    try:
        IPv4Address(host)
    except ValueError:
        return True
    return False
