"""Fetches an image from an allowed host: bounded in size, time and redirects, and never from the internal network.

The name is resolved once, and the connection goes to an address that was checked, so that a DNS answer that changes in
between (DNS rebinding) cannot lead to the internal network. Every redirect is checked like the original URL.
"""

import contextlib
import functools
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import h11
import trio

from claudegwd.fetching.addresses import FetchTarget, is_public, quoted, target_of
from claudegwd.fetching.exchange import Exchange
from claudegwd.openai_api.errors import InvalidRequest

MAX_FETCH_BYTES = 10 * 1024 * 1024  # the Messages API's own limit for one image
FETCH_SECONDS = 10.0  # including all redirects; a client waits for it before its first token
# For each address of a host but the last: where IPv6 leads nowhere, IPv4 has to come while there is still time.
CONNECT_SECONDS = 2.0
MAX_REDIRECTS = 3  # images redirect once or twice; more is a loop
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came: the media type that the server named, without its parameters, and the bytes."""

    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Fetcher:
    """`hosts` is the allow-list; `allowed` says which addresses may be connected to (a test's own server is none)."""

    hosts: Sequence[str]
    allowed: Callable[[str], bool] = is_public
    context: ssl.SSLContext | None = None

    async def fetch(self, url: str, param: str) -> Fetched:
        """The content behind `url`. Raises InvalidRequest with `param` for whatever goes wrong."""
        try:
            with trio.fail_after(FETCH_SECONDS):
                for _ in range(MAX_REDIRECTS + 1):
                    target = target_of(url, self.hosts, param)
                    answer = await self._get(target, param)
                    if isinstance(answer, Fetched):
                        return answer
                    url = urljoin(url, answer)
        except trio.TooSlowError:
            raise InvalidRequest(f"cannot fetch this: it took more than {FETCH_SECONDS:.0f} s", param=param) from None
        except (OSError, trio.BrokenResourceError, h11.ProtocolError, ssl.SSLError):
            raise InvalidRequest("cannot fetch this: its server does not answer properly", param=param) from None
        raise InvalidRequest(f"cannot fetch this: it redirects more than {MAX_REDIRECTS} times", param=param)

    async def _get(self, target: FetchTarget, param: str) -> Fetched | str:
        """One request; a str is where it redirects to."""
        async with await self._connect(target, param) as stream:
            exchange = Exchange(stream)
            host = f"[{target.host}]" if ":" in target.host else target.host
            await exchange.send("GET", target.path, {"host": host, "accept": "image/*"})
            return await _read(exchange, param)

    async def _connect(self, target: FetchTarget, param: str) -> trio.abc.Stream:
        found = await trio.socket.getaddrinfo(target.host, target.port, type=trio.socket.SOCK_STREAM)
        addresses = [(family, address) for family, _, _, _, address in found]
        if not addresses or not all(self.allowed(str(address[0])) for _, address in addresses):
            raise InvalidRequest("cannot fetch this: its host is not on the public internet", param=param)
        stream = await _first_of(addresses)
        if target.scheme == "http":
            return stream
        context = self.context
        if context is None:
            context = await trio.to_thread.run_sync(_context)
        return trio.SSLStream(stream, context, server_hostname=target.host, https_compatible=True)


@functools.cache
def _context() -> ssl.SSLContext:
    """Blocking: reading all certificates of the system takes 30 ms, in which no stream would continue."""
    return ssl.create_default_context()


async def _first_of(addresses: Sequence[tuple[int, Any]]) -> trio.SocketStream:
    """A connection to the first that accepts one; families and addresses as getaddrinfo gives them. Raises OSError."""
    *others, last = interleaved(addresses)
    for family, address in others:
        with contextlib.suppress(OSError), trio.move_on_after(CONNECT_SECONDS):
            return await _connected(family, address)
    return await _connected(*last)


def interleaved(addresses: Sequence[tuple[int, Any]]) -> list[tuple[int, Any]]:
    """The families in turns (RFC 8305, section 4): many addresses of one that leads nowhere do not use up the time."""
    numbered = {each: sum(other[0] == each[0] for other in addresses[:at]) for at, each in enumerate(addresses)}
    return sorted(numbered, key=numbered.__getitem__)


async def _connected(family: int, address: Any) -> trio.SocketStream:
    sock = trio.socket.socket(family, trio.socket.SOCK_STREAM)
    try:
        await sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return trio.SocketStream(sock)


async def _read(exchange: Exchange, param: str) -> Fetched | str:
    media_type, data = "", bytearray()
    while not isinstance(event := await exchange.event(), h11.EndOfMessage):
        if isinstance(event, h11.Response):
            headers = dict(event.headers)
            if event.status_code in _REDIRECTS and b"location" in headers:
                return quoted(headers[b"location"])
            if event.status_code != 200:
                raise InvalidRequest(f"cannot fetch this: its server answered {event.status_code}", param=param)
            media_type = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        elif isinstance(event, h11.Data):
            data += event.data
            if len(data) > MAX_FETCH_BYTES:
                raise InvalidRequest(f"cannot fetch this: it is larger than {MAX_FETCH_BYTES} bytes", param=param)
    return Fetched(media_type, bytes(data))
