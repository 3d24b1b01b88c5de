"""HTTP/1.1, WebSockets on a single route, and only unambiguous requests.

Hypercorn 0.18 would upgrade to a WebSocket on any path, or to HTTP/2, and speak HTTP/2 even without an upgrade. These
bypass the access checks of the public face, or can be flooded in their own ways. A client that requests an upgrade is
answered in HTTP/1.1, as RFC 9110 allows, except on the paths that have a WebSocket.
"""

from collections.abc import Sequence
from itertools import chain
from secrets import token_hex

import h11
from hypercorn.events import Closed
from hypercorn.protocol.events import Request
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol, H11WSConnection
from hypercorn.protocol.http_stream import HTTPStream

from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.servers.overriding import overriding
from claudegwd.servers.websocket import WebSocketStream, asks_for_websocket

# Agents behind two proxies send some 40. Each costs a few microseconds before a key is checked.
MAX_HEADERS = 128
MAX_HEAD_BYTES = 64 * 1024  # request line and headers: tokens and the trace headers of proxies take a few kilobytes

_TEXTS = {
    400: "cannot read this request: it is not valid HTTP/1.1, or is ambiguous",
    413: "cannot accept a body of this size",
    431: f"cannot accept a request head of more than {MAX_HEADERS} headers or {MAX_HEAD_BYTES} bytes: send less",
    501: "cannot read this body: send it with content-length or chunked",
    505: "cannot use this version of HTTP: use HTTP/1.1",
}


def refusal(method: bytes, target: bytes, version: bytes, headers: Sequence[tuple[bytes, bytes]]) -> int | None:
    """The status with which to refuse a request head; None if it may pass. Header names are lower case."""
    if version not in (b"1.0", b"1.1"):
        return 505
    size = len(method) + len(target) + sum(len(name) + len(value) for name, value in headers)
    if len(headers) > MAX_HEADERS or size > MAX_HEAD_BYTES:
        return 431
    # An absolute target names its own host, bypassing the one that is checked.
    if not target.startswith(b"/") and (method, target) != (b"OPTIONS", b"*"):
        return 400
    names = {name for name, _ in headers}
    # A proxy in front of us may use the other one, and take the rest of the body for the next client's request.
    if b"transfer-encoding" in names and (b"content-length" in names or version == b"1.0"):
        return 400
    return None


@overriding("_check_protocol", "_create_stream", "_send_error_response")
class Http1(H11Protocol):
    """Hypercorn's HTTP/1.1, with WebSocket as the only upgrade. Invalid requests get errors in our usual format."""

    async def _check_protocol(self, event: h11.Request) -> None:
        """Never assume or switch to another protocol."""

    async def _create_stream(self, request: h11.Request) -> None:
        headers = list(request.headers)
        status = refusal(request.method, request.target, request.http_version, headers)
        if status is not None:
            await self._send_error_response(status, with_body=request.method != b"HEAD")
            await self.send(Closed())
            return
        upgrades = asks_for_websocket(request.method, request.target, request.http_version, headers)
        made = WebSocketStream if upgrades else HTTPStream
        self.stream = made(
            self.app, self.config, self.context, self.task_group, self.ssl, self.client, self.server, self.stream_send,
            STREAM_ID,
        )  # fmt: skip
        if upgrades and isinstance(self.connection, h11.Connection):
            self.connection = H11WSConnection(self.connection)
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=headers,
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii").upper(),
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1
        await self.context.mark_request()

    async def _send_error_response(self, status_code: int, *, with_body: bool = True) -> None:
        body = InvalidRequest(_TEXTS.get(status_code, _TEXTS[400]), code="invalid_http").body() if with_body else b""
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            (b"x-request-id", f"req_{token_hex(12)}".encode()),
        ]
        given = self.config.response_headers("h11")
        await self._send_h11_event(h11.Response(status_code=status_code, headers=list(chain(headers, given))))
        if body:
            await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())
