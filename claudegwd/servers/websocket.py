"""WebSocket frames: Hypercorn's, without compression, and with an error for frames that are invalid or too large."""

from collections.abc import Sequence
from typing import Any

import trio
from hypercorn.protocol.events import Data, Event, StreamClosed
from hypercorn.protocol.ws_stream import ASGIWebsocketState, FrameTooLargeError, WSStream
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Message, Ping
from wsproto.frame_protocol import CloseReason

from claudegwd.servers.overriding import overriding

# The one route that is also a WebSocket.
PATHS = frozenset((b"/v1/responses", b"/v1/responses/"))

# This many consecutive pings without any frame from the client: its machine is gone or asleep. One may be lost on a
# slow network, and a busy program may answer late.
MISSED_PONGS = 3

# The headers that wsproto splits into ASCII words.
_SPLIT = frozenset((b"connection", b"sec-websocket-extensions", b"sec-websocket-protocol"))


def asks_for_websocket(method: bytes, target: bytes, version: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether a request head asks for a WebSocket on a path that has one. Header names are lower case."""
    found = dict(headers)
    return (
        method == b"GET"
        and version == b"1.1"
        and target.partition(b"?")[0] in PATHS
        and found.get(b"upgrade", b"").strip().lower() == b"websocket"
        and b"upgrade" in (token.strip().lower() for token in found.get(b"connection", b"").split(b","))
        and b"sec-websocket-key" in found
        and found.get(b"sec-websocket-version") == b"13"
        and all(value.isascii() for name, value in headers if name in _SPLIT)
        # A body before the first frame would be ambiguous.
        and not {b"content-length", b"transfer-encoding"} & found.keys()
    )


@overriding("handle", "_accept", "_handle_events", "_send_pings")
class WebSocketStream(WSStream):
    """One WebSocket."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._pinging = trio.CancelScope()
        self._heard = True  # since the last ping: any frame is a sign of life

    async def handle(self, event: Event) -> None:
        """Handle what has arrived."""
        self._heard = True
        if isinstance(event, Data) and not self.handshake.accepted:
            await self._too_early()
        else:
            await super().handle(event)
        if self.closed:
            self._pinging.cancel()

    async def _too_early(self) -> None:
        """A client must not send frames before it is accepted. Hypercorn would refuse them, but tell neither the
        application nor the connection that this is the end: both would wait forever. After a refusal they are dropped.
        """
        if self.state is ASGIWebsocketState.HANDSHAKE and not self.closed:
            await self._send_error_response(400)
            await self.send(StreamClosed(stream_id=self.stream_id))

    async def _accept(self, message: object) -> None:
        # A few compressed bytes could expand to gigabytes, and the size is not checked until they have.
        self.handshake.extensions = None
        await super()._accept(message)  # type: ignore[arg-type]

    async def _handle_events(self) -> None:
        for event in self.connection.events():
            match event:
                case Message():
                    try:
                        self.buffer.extend(event)
                    except FrameTooLargeError:
                        await self._end(CloseConnection(code=CloseReason.MESSAGE_TOO_BIG))
                        return
                    if event.message_finished:
                        await self.app_put(self.buffer.to_message())  # type: ignore[misc]
                        self.buffer.clear()
                case Ping():
                    await self._send_wsproto_event(event.response())
                case CloseConnection():
                    # The client's own, to be answered, or ours for an invalid frame.
                    theirs = self.connection.state is ConnectionState.REMOTE_CLOSING
                    await self._send_wsproto_event(event.response() if theirs else event)
                    await self.send(StreamClosed(stream_id=self.stream_id))
                    return

    async def _send_pings(self) -> None:
        # Hypercorn's own would sleep on after the end, keeping the connection's slot for that long, and would wait
        # forever for a client whose machine is gone.
        interval, missed, at = self.config.websocket_ping_interval, 0, trio.current_time()
        with self._pinging:
            while interval:
                at += interval
                await trio.sleep_until(at)
                missed = 0 if self._heard else missed + 1
                if missed >= MISSED_PONGS:
                    await self.send(StreamClosed(stream_id=self.stream_id))
                    return
                self._heard = False
                with trio.move_on_at(at + interval):  # it may be stuck behind what the client does not read
                    await self._send_wsproto_event(Ping())

    async def _end(self, close: CloseConnection) -> None:
        self.buffer.clear()
        await self._send_wsproto_event(close)
        await self.send(StreamClosed(stream_id=self.stream_id))
