"""Connects to a web server through the proxy in the daemon's environment, as the CLI does for the upstream."""

import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

import h11
import trio

from claudegwd.notify.errors import DeliveryError, TryAgainError

# Per read of a proxy's response: its head, of which only the status matters.
READ_BYTES: Final = 4096
_NO_PROXY: Final = "HTTPS_PROXY is not the address of an HTTP proxy"
_NEAR: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Proxy:
    """`authorization`: the header's value, which contains a password; "" for none."""

    host: str
    port: int
    secure: bool = False
    authorization: str = field(default="", repr=False)


def proxy_of(host: str, env: Mapping[str, str]) -> Proxy | None:
    """The proxy for https to a host: HTTPS_PROXY, but none for this machine or hosts in NO_PROXY.

    Raises DeliveryError for an invalid address."""
    address = env.get("https_proxy") or env.get("HTTPS_PROXY") or ""
    without = [word.strip().lstrip(".") for word in (env.get("no_proxy") or env.get("NO_PROXY") or "").split(",")]
    excepted = any(word == "*" or (word and (host == word or host.endswith(f".{word}"))) for word in without)
    if not address or host in _NEAR or excepted:
        return None
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        secure = parts.scheme == "https"
        port = (443 if secure else 80) if parts.port is None else parts.port
    except ValueError:
        raise DeliveryError(_NO_PROXY) from None
    if not parts.hostname or port == 0 or parts.scheme not in ("http", "https"):
        raise DeliveryError(_NO_PROXY)
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    authorization = "" if user == ":" else f"Basic {b64encode(user.encode()).decode()}"
    return Proxy(parts.hostname, port, secure, authorization)


async def open_through(proxy: Proxy, host: str, port: int, context: ssl.SSLContext) -> trio.abc.Stream:
    """A connection to that server through the proxy. Raises DeliveryError, and whatever connecting raises."""
    try:
        stream: trio.abc.Stream = await trio.open_tcp_stream(proxy.host, proxy.port)
    except OSError:
        raise TryAgainError("the proxy of HTTPS_PROXY cannot be reached") from None
    if proxy.secure:
        stream = trio.SSLStream(stream, context, server_hostname=proxy.host, https_compatible=True)
    try:
        status = await _connect(stream, proxy, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    if not 200 <= status < 300:
        await trio.aclose_forcefully(stream)
        kind = TryAgainError if status >= 500 else DeliveryError
        raise kind(f"the proxy of HTTPS_PROXY answered {status}")
    return stream


async def _connect(stream: trio.abc.Stream, proxy: Proxy, target: str) -> int:
    connection = h11.Connection(h11.CLIENT)
    headers = [("host", target), ("user-agent", "claudegwd")]
    if proxy.authorization:
        headers.append(("proxy-authorization", proxy.authorization))
    data = connection.send(h11.Request(method="CONNECT", target=target, headers=headers))
    await stream.send_all((data or b"") + (connection.send(h11.EndOfMessage()) or b""))
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some(READ_BYTES)))
        elif isinstance(event, h11.Response):
            return event.status_code
        elif isinstance(event, h11.ConnectionClosed):
            raise TryAgainError("the proxy of HTTPS_PROXY closed the connection")
