"""One HTTP/1.1 connection of the scripted endpoint: h11 and the socket under it."""

from __future__ import annotations

from collections.abc import Mapping

import h11
import trio

# Well over the gateway's default max_body_bytes (32 MiB): what the gateway lets through, this must be able to take.
MAX_BODY_BYTES = 64 * 1024 * 1024
# The CLI's usual request fits in one read; larger bodies take several.
_READ_BYTES = 65536


class EndpointConnection:
    """Only one task at a time may use it, except that `watch` may run beside the sending methods."""

    def __init__(self, stream: trio.SocketStream) -> None:
        # trio sets TCP_NODELAY on every SocketStream, so one event written is one event on its way.
        self._stream = stream
        self._http = h11.Connection(h11.SERVER)

    async def next_request(self) -> tuple[h11.Request, bytes] | None:
        """The next request with its body; None if the client has closed, cut or misused the connection."""
        try:
            head = await self._next_event()
            if not isinstance(head, h11.Request):
                return None
            body = await self._body()
        except (trio.BrokenResourceError, h11.RemoteProtocolError):
            return None
        return None if body is None else (head, body)

    async def _body(self) -> bytes | None:
        body = bytearray()
        if self._http.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
            if len(body) > MAX_BODY_BYTES:
                return None
        return bytes(body)

    async def _next_event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._stream.receive_some(_READ_BYTES))
        return event

    def ready_for_next(self) -> bool:
        """Prepare for another request on this connection; False if it has to be closed instead."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def watch(self, gone: trio.Event, answering: trio.CancelScope) -> None:
        """While an answer is running: notice that the client hung up, set `gone`, and end the answer."""
        try:
            data = await self._stream.receive_some(_READ_BYTES)
        except trio.BrokenResourceError:
            data = b""
        if data:
            # A request sent before the answer. Kept for its turn; to keep watching would mean reading without bound.
            self._http.receive_data(data)
            return
        gone.set()
        answering.cancel()

    async def send_head(self, status: int, headers: Mapping[str, str]) -> None:
        """The status line and headers. The body follows in chunks unless there is a content-length."""
        await self._send(h11.Response(status_code=status, headers=list(headers.items())))

    async def send_whole(self, status: int, content_type: str, body: bytes, headers: Mapping[str, str]) -> None:
        """A whole response in one write."""
        fields = {"content-type": content_type, "content-length": str(len(body)), **headers}
        head = self._http.send(h11.Response(status_code=status, headers=list(fields.items()))) or b""
        data = self._http.send(h11.Data(data=body)) or b""
        end = self._http.send(h11.EndOfMessage()) or b""
        await self._stream.send_all(head + data + end)

    async def send_piece(self, data: bytes) -> None:
        """One piece of a streamed body: one chunk, one write."""
        await self._send(h11.Data(data=data))

    async def send_end(self) -> None:
        await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Response | h11.InformationalResponse | h11.Data | h11.EndOfMessage) -> None:
        await self._stream.send_all(self._http.send(event) or b"")
