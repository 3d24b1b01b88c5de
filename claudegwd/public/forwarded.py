"""The client's address behind a proxy, as reported only by trusted proxies."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

# Proxies in a row; a longer list is sent to keep us busy.
MAX_HOPS: Final = 16
MAX_CHARACTERS: Final = 4096  # of a Forwarded header: dozens of hops with all their parameters

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# One pair of RFC 7239 and its terminator. Quoted text may contain commas, semicolons and what looks like another pair:
# proxies put there what a client has sent. Unquoted values are parsed as loosely as proxies write them.
# "*+": spaces that nothing valid follows are not tried in every split between the two places where they may be.
_PAIR: Final = re.compile(
    r'[ \t]*+(?:([!#$%&\'*+.^_`|~\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?[ \t]*+([,;]|$)', re.ASCII
)


def client_address(
    peer: str, forwarded_for: Sequence[str], forwarded: Sequence[str], trusted: tuple[str, ...]
) -> str | None:
    """The address that a request comes from; None if it has none.

    `peer`: who connected; the others are the lines of X-Forwarded-For and Forwarded. Each of our proxies has appended
    the address of its own peer, so the last one that is not our proxy is the client; the client may have written what
    comes before it. If the two headers name different clients, one of them is forged, and only the proxy's own address
    is known.
    """
    if not trusted or not _is_trusted(peer, trusted):
        return peer or None
    found = [
        client
        for hops in (_plain_hops(forwarded_for), _hops(forwarded))
        if (client := _first_foreign(hops, trusted)) is not None
    ]
    return found[0] if len(set(found)) == 1 else peer


def _first_foreign(hops: Sequence[Address | None], trusted: tuple[str, ...]) -> str | None:
    """The last hop that is not our proxy; the first of all if each is one. None if none is named."""
    named = None
    for hop in reversed(hops):
        if hop is None:
            return named
        named = str(hop)
        if not _is_trusted(named, trusted):
            return named
    return named


def _plain_hops(lines: Sequence[str]) -> list[Address | None]:
    found = [hop.strip() for line in lines for hop in line.split(",")]
    return [_address(hop) for hop in found[-MAX_HOPS:]]


def _hops(lines: Sequence[str]) -> list[Address | None]:
    """As in RFC 7239: `for=192.0.2.60;proto=http;by=203.0.113.43`, `for="[2001:db8::17]:4711"`, `for=_hidden`."""
    found = [hop for line in lines for hop in _elements(line)]
    return [_address(hop) for hop in found[-MAX_HOPS:]]


def _elements(line: str) -> list[str]:
    """The address that each proxy named, "" if none; [""] if the line as a whole is invalid.

    A proxy may have appended to something that a client left open, such as a quotation mark.
    """
    found, named, at = [], [], 0
    while True:
        pair = _PAIR.match(line, at) if len(line) <= MAX_CHARACTERS else None
        if pair is None:
            return [""]
        name, quoted, plain, end = pair.groups()
        if name is not None and name.lower() == "for":
            named.append(quoted if quoted is not None else plain)
        if end != ";":
            found.append(named[0] if len(named) == 1 else "")
            named = []
        if not end:
            return found
        at = pair.end()


def _address(text: str) -> Address | None:
    """An address with or without a port."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])  # the zone of an IPv6 address may be any text
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_trusted(address: str, trusted: tuple[str, ...]) -> bool:
    found = _address(address)
    return found is not None and any(found in network for network in _networks(trusted))


@lru_cache(maxsize=8)  # the configuration in effect, and some before it
def _networks(trusted: Iterable[str]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(network) for network in trusted)
