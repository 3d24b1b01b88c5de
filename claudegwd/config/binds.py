"""Where the public face listens: the form of `server.bind`. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from claudegwd.config.fields import shown
from claudegwd.config.schema import Config

MAX_PORT: Final = 65_535  # TCP has no higher ports

_LABEL: Final = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
HOST_NAME: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*", re.ASCII)
_ALL_ADDRESSES: Final = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)


def split_bind(bind: str) -> tuple[str, int]:
    """Host (an address or a name, IPv6 without brackets) and port of a bind. ValueError if it is not one."""
    host, colon, port = bind.rpartition(":")
    if not colon or not _PORT.fullmatch(port) or int(port) > MAX_PORT:
        raise ValueError(bind)
    if host.startswith("[") and host.endswith("]"):
        return str(ipaddress.IPv6Address(host[1:-1])), int(port)
    if not HOST_NAME.fullmatch(host):
        raise ValueError(bind)
    if re.fullmatch(r"[0-9.]+", host):
        host = str(ipaddress.IPv4Address(host))
    return host, int(port)


def is_loopback(bind: str) -> bool:
    """Whether only this machine can reach a bind. Names other than localhost count as reachable from outside."""
    host, _ = split_bind(bind)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def check_binds(config: Config) -> tuple[str, str] | None:
    """The key that is wrong, and what to write instead; None if all is well."""
    seen: set[tuple[str, int]] = set()
    for bind in config.server.bind:
        try:
            address = split_bind(bind)
        except ValueError:
            return "server.bind", (
                f"must be an address with a port, such as 127.0.0.1:8000 or [::1]:8000, not {shown(bind)}"
            )
        # Port 0 lets the system choose, so two of them are different ports.
        if address in seen and address[1] != 0:
            return "server.bind", f"lists {shown(bind)} twice: remove one"
        seen.add(address)
    for host, port in sorted(seen):
        for wide in _ALL_ADDRESSES if port else ():
            if (wide, port) in seen and host != wide and _is_among(host, wide):
                whole, part = (f"[{each}]" if ":" in each else each for each in (wide, host))
                return "server.bind", f'lists "{part}:{port}", which "{whole}:{port}" includes: remove one of them'
    return None


def _is_among(host: str, wide: str) -> bool:
    """Whether a socket on all addresses of a family, such as 0.0.0.0, leaves no room for one on `host`."""
    try:
        return ipaddress.ip_address(host).version == ipaddress.ip_address(wide).version
    except ValueError:
        return host.lower() == "localhost"
