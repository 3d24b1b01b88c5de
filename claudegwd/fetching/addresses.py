"""Which addresses images may be fetched from. Pure."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from claudegwd.openai_api.errors import InvalidRequest

ANY_HOST = "*"
# Where there is only IPv6, this is how IPv4 is reached (RFC 6052); Python counts it as reserved.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class FetchTarget:
    """Where one request goes. `host` is what the URL says; the address is chosen and checked at connect."""

    scheme: str
    host: str
    port: int
    path: str


def target_of(url: str, hosts: Sequence[str], param: str) -> FetchTarget:
    """Read a URL and check it against the allow-list. Raises InvalidRequest with `param`.

    An entry of `hosts` is a host name, ".example.org" for all below it, or "*".
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").lower().encode("idna").decode()
    except ValueError:  # as is a UnicodeError, for a name of which a part is empty or too long
        raise InvalidRequest("cannot fetch this: its URL is invalid", param=param) from None
    if parts.scheme not in _PORTS or not host or parts.username is not None:
        raise InvalidRequest("cannot fetch this: give a data: URL, or an http(s) URL without a password", param=param)
    if not any(_matches(host, entry.lower()) for entry in hosts):
        raise InvalidRequest(
            "cannot fetch from this host: give the content as a data: URL, or add the host to server.fetch_hosts",
            param=param,
        )
    if port is not None and port != _PORTS[parts.scheme]:
        raise InvalidRequest("cannot fetch from this port: use 80 or 443", param=param)
    path = quoted((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    return FetchTarget(parts.scheme, host, port or _PORTS[parts.scheme], path)


def quoted(text: str | bytes) -> str:
    """A URL or a part of one, in which what may not be sent as it is, such as a space or a letter with an accent, is
    encoded as browsers do."""
    return quote(text, safe="!#$%&'()*+,/:;=?@[]~")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's, and not of this machine or its networks."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None) or getattr(parsed, "sixtofour", None)
    if parsed in _NAT64:
        mapped = ipaddress.IPv4Address(parsed.packed[-4:])
    if mapped is not None:
        return is_public(str(mapped))
    local = getattr(parsed, "is_site_local", False)  # fec0::/10, which Python counts as global
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved and not local


def _matches(host: str, entry: str) -> bool:
    return entry in (ANY_HOST, host) or (entry.startswith(".") and host.endswith(entry))
