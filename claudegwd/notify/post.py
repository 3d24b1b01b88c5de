"""Sends a notice to a URL: one POST of JSON; of the response, only the status is read."""

import os
import socket
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

import h11
import trio

from claudegwd.fetching.exchange import Exchange
from claudegwd.notify.errors import DeliveryError, TryAgainError
from claudegwd.notify.tunnel import open_through, proxy_of

# Including name resolution, connection, TLS and the response.
POST_SECONDS: Final = 10.0
# Statuses that ask for another try: too slow, or too many. (So do all 5xx.)
_AGAIN: Final = frozenset({408, 425, 429})


async def post(url: str, body: bytes, env: Mapping[str, str], context: ssl.SSLContext | None = None) -> None:
    """Send it; any 2xx is success. Raises DeliveryError. `url` is as check_notify allows; `env` may name a proxy."""
    try:
        with trio.fail_after(POST_SECONDS):
            status = await _status(url, body, env, context)
    except trio.TooSlowError:
        raise TryAgainError(f"its server did not answer within {POST_SECONDS:g} s") from None
    except (OSError, trio.BrokenResourceError, h11.ProtocolError) as error:
        raise TryAgainError(_cause(error)) from None
    except UnicodeError:  # from the encoding of names with empty or very long parts
        raise DeliveryError("the name of its server, or of the proxy, is not a valid name") from None
    if not 200 <= status < 300:
        kind = TryAgainError if status in _AGAIN or status >= 500 else DeliveryError
        where = "; set notify.url to its destination" if 300 <= status < 400 else ""
        raise kind(f"its server answered {status}{where}")


async def _open(parts: SplitResult, env: Mapping[str, str], context: ssl.SSLContext | None) -> trio.abc.Stream:
    host = parts.hostname or ""
    if parts.scheme != "https":
        return await trio.open_tcp_stream(host, parts.port or 80)
    if context is None:  # reading all certificates takes a while
        context = await trio.to_thread.run_sync(_context, env)
    port, proxy = parts.port or 443, proxy_of(host, env)
    stream: trio.abc.Stream
    if proxy is None:
        stream = await trio.open_tcp_stream(host, port)
    else:
        stream = await open_through(proxy, host, port, context)
    return trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)


def _context(env: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if extra := env.get("NODE_EXTRA_CA_CERTS"):  # as set for the CLI: a proxy's own authority
        context.load_verify_locations(extra)
    return context


async def _status(url: str, body: bytes, env: Mapping[str, str], context: ssl.SSLContext | None) -> int:
    parts = urlsplit(url)
    stream = await _open(parts, env, context)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"host": parts.netloc, "content-type": "application/json", "content-length": str(len(body))}
    async with stream:
        exchange = Exchange(stream)
        await exchange.send("POST", target, headers, body)
        while not isinstance(event := await exchange.event(), h11.Response):
            pass  # a 100 or 103 first
        await trio.aclose_forcefully(stream)
        return event.status_code


def _cause(error: BaseException) -> str:
    """Why, in words that contain nothing of the address."""
    while error.__cause__ is not None or isinstance(error, BaseExceptionGroup):
        # The first of the addresses that were tried in parallel.
        error = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error
    if isinstance(error, socket.gaierror):
        return "the name of its server cannot be resolved"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "TLS with its server failed"
    if isinstance(error, h11.ProtocolError):
        return "its server does not speak HTTP, or closed the connection"
    if isinstance(error, OSError) and error.errno:
        return f"its server cannot be reached: {os.strerror(error.errno)}"
    return "its server cannot be reached"
