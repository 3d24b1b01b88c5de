"""Request bodies: read within bounds of size and time, decompressed, or discarded so that an error arrives."""

from typing import Any

import trio
from quart import request
from quart_trio.wrappers.request import TrioBody, TrioRequest

from claudegwd.logs import log_content
from claudegwd.openai_api.content_encoding import Unpacker, encoding_of
from claudegwd.openai_api.errors import BodyTooLarge, InvalidRequest
from claudegwd.public.call import Call
from claudegwd.servers.overriding import overriding

# A client that sends its body more slowly is cut off: 32 MiB in 60 s is 4 Mbit/s.
BODY_SECONDS = 60

# The rest of a rejected request's body is read and discarded, up to this many bytes: if the connection were closed,
# many clients would report a broken pipe instead of the rejection. Several times the default maximum of a body.
DISCARDED_BYTES = 128 * 1024 * 1024
# And for no longer than this: enough for that many bytes at a gigabit per second, and a stranger's connection is soon
# free again.
DISCARDED_SECONDS = 10.0
# And only while data arrives: a client that is silent for this long waits for the response, or is gone.
DISCARDED_SILENCE_SECONDS = 2.0


@overriding("append")
class RequestBody(TrioBody):
    """Counts everything that arrives. Quart's own bounds only unread data, and then loses track of the body's end."""

    def __init__(self, expected_content_length: int | None, max_content_length: int | None) -> None:
        super().__init__(None, None)
        self._most = max_content_length
        self._count = 0
        self._discards = False
        self.is_too_large = self._exceeds(expected_content_length or 0)

    @property
    def is_complete(self) -> bool:
        """Whether the client has sent all of it."""
        return bool(self._complete.is_set())

    def append(self, data: bytes) -> None:
        """Add a piece as it arrives."""
        self._count += len(data)
        self.is_too_large = self.is_too_large or self._exceeds(self._count)
        if self.is_too_large or self._discards:
            self._data.clear()
        else:
            self._data.extend(data)
        self._has_data.set()

    async def piece(self) -> bytes:
        """What has arrived since the last time; waits if there is none. Empty at the end. Raises BodyTooLarge."""
        while not (self._data or self.is_complete or self.is_too_large):
            self._has_data.clear()
            await self._has_data.wait()
        if self.is_too_large:
            raise BodyTooLarge(f"cannot accept a body of more than {self._most} bytes, which is server.max_body_bytes")
        data = bytes(self._data)
        self._data.clear()
        return data

    async def discard(self) -> bool:
        """Read and discard the rest, within the bounds. Returns whether the end was reached."""
        self._discards = True
        self._data.clear()
        last = self._count + DISCARDED_BYTES
        with trio.move_on_after(DISCARDED_SECONDS):
            while not self.is_complete and self._count <= last:
                self._has_data.clear()
                with trio.move_on_after(DISCARDED_SILENCE_SECONDS) as silence:
                    await self._has_data.wait()
                if silence.cancelled_caught:
                    break
        return self.is_complete

    def _exceeds(self, size: int) -> bool:
        return self._most is not None and size > self._most


@overriding("body_class")
class Request(TrioRequest):
    """A request with such a body."""

    body_class = RequestBody


async def read_body(call: Call) -> bytes:
    """The whole body, decompressed. Raises BodyTooLarge, and InvalidRequest if it is too slow or badly compressed."""
    body = bytearray()
    encoding = encoding_of(request.headers.get("content-encoding", ""))
    unpacker = Unpacker(encoding, call.gateway.config.server.max_body_bytes) if encoding != "identity" else None
    sent: Any = request.body
    with trio.move_on_after(BODY_SECONDS) as patience:
        while piece := await sent.piece():
            body += unpacker.feed(piece) if unpacker else piece
    if patience.cancelled_caught:
        raise InvalidRequest("cannot read the body: it arrived too slowly or was cut off")
    if unpacker:
        unpacker.end()
    call.read_at = trio.current_time()
    whole = bytes(body)
    if call.gateway.config.log.content:
        log_content("asked", whole, call.record.request_id)
    return whole


async def body_is_read() -> bool:
    """Read and discard the rest of this request's body, within bounds. Returns whether the end was reached."""
    body: Any = request.body
    return bool(await body.discard())
