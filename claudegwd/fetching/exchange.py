"""One outgoing HTTP/1.1 request and its response, over an open stream."""

from collections.abc import Mapping

import h11
import trio

# Sixteen reads for an image of a megabyte; each buffer is allocated only for a moment.
READ_BYTES = 65_536
_OURS = {"user-agent": "claudegwd", "connection": "close"}


class Exchange:
    """Send one request, then take one event after the other. Its owner closes the stream."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._connection = h11.Connection(h11.CLIENT)

    async def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        """The whole request at once. Raises h11.LocalProtocolError if it is invalid, and trio.BrokenResourceError."""
        request = h11.Request(method=method, target=target, headers=[*headers.items(), *_OURS.items()])
        events = (request, *([h11.Data(body)] if body else []), h11.EndOfMessage())
        await self._stream.send_all(b"".join(self._connection.send(event) or b"" for event in events))

    async def event(self) -> h11.Event:
        """The next event of the answer. Raises h11.RemoteProtocolError if it is invalid or broken off."""
        while True:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                self._connection.receive_data(bytes(await self._stream.receive_some(READ_BYTES)))
            elif isinstance(event, h11.ConnectionClosed) or not isinstance(event, h11.Event):
                raise h11.RemoteProtocolError("it closed the connection")
            else:
                return event
