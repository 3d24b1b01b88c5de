from typing import TYPE_CHECKING

import h11
import pytest
import trio
from trio.testing import memory_stream_pair

from claudegwd.fetching.exchange import Exchange

if TYPE_CHECKING:
    from trio import StapledStream
    from trio.testing import MemoryReceiveStream, MemorySendStream


def pair() -> "tuple[Exchange, StapledStream[MemorySendStream, MemoryReceiveStream]]":
    ours, theirs = memory_stream_pair()
    return Exchange(ours), theirs


async def test_a_request_and_its_answer_in_pieces() -> None:
    exchange, server = pair()
    await exchange.send("POST", "/x", {"host": "h", "content-length": "2"}, b"hi")
    sent = bytes(await server.receive_some())
    assert sent.startswith(b"POST /x HTTP/1.1\r\nhost: h\r\n")
    assert sent.endswith(b"connection: close\r\n\r\nhi")
    answer = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"
    kinds, data = [], b""
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            for byte in answer:
                await server.send_all(bytes([byte]))

        while not isinstance(event := await exchange.event(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                data += event.data
            else:
                kinds.append(type(event))
    assert (kinds, data) == ([h11.InformationalResponse, h11.Response], b"abc")


@pytest.mark.parametrize("data", [b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
async def test_what_is_no_answer(data: bytes) -> None:
    exchange, server = pair()
    await exchange.send("GET", "/", {"host": "h"})
    await server.send_all(data)
    await server.send_stream.aclose()
    with pytest.raises(h11.RemoteProtocolError):
        await exchange.event()
