from __future__ import annotations

import json

import trio

from claudegwd.demo import connection
from claudegwd.demo.endpoint import ScriptedEndpoint
from claudegwd.demo.replies import say, sequence
from claudegwd.demo.script import ScriptedReply, Text, Wait
from tests.arrivals import arrived
from tests.claudegwd.demo.reading import http_request

QUESTION = http_request("/v1/messages", json.dumps({"stream": True}).encode())


async def connected(nursery: trio.Nursery, endpoint: ScriptedEndpoint) -> trio.SocketStream:
    await nursery.start(endpoint.serve)
    return await trio.open_tcp_stream("127.0.0.1", endpoint.port)


async def read_until(stream: trio.SocketStream, end: bytes, times: int = 1) -> bytes:
    seen = b""
    with trio.fail_after(5):
        while seen.count(end) < times:
            piece = await stream.receive_some()
            assert piece, "the connection was closed early"
            seen += piece
    return seen


async def test_a_request_may_come_in_any_pieces(nursery: trio.Nursery) -> None:
    stream = await connected(nursery, ScriptedEndpoint(sequence(say("ok"))))
    for byte in QUESTION:
        await stream.send_all(bytes([byte]))
    assert b"200" in await read_until(stream, b"0\r\n\r\n")


async def test_a_request_sent_ahead_gets_its_turn(nursery: trio.Nursery) -> None:
    go = trio.Event()
    endpoint = ScriptedEndpoint(sequence(ScriptedReply((Text(("one",)),), before=(Wait(go),)), say("two")))
    stream = await connected(nursery, endpoint)
    await stream.send_all(QUESTION)
    await arrived(endpoint, 1)
    await stream.send_all(QUESTION)
    go.set()
    both = await read_until(stream, b"0\r\n\r\n", times=2)
    assert both.index(b"one") < both.index(b"two")


async def test_says_continue_when_asked(nursery: trio.Nursery) -> None:
    stream = await connected(nursery, ScriptedEndpoint(sequence(say("ok"))))
    head, _, body = QUESTION.partition(b"\r\n\r\n")
    await stream.send_all(head + b"\r\nexpect: 100-continue\r\n\r\n")
    await read_until(stream, b"100 ")
    await stream.send_all(body)
    await read_until(stream, b"0\r\n\r\n")


async def test_nonsense_closes_the_connection(nursery: trio.Nursery) -> None:
    stream = await connected(nursery, ScriptedEndpoint(sequence(say("ok"))))
    await stream.send_all(b"\x16\x03\x01 not http\r\n\r\n")
    with trio.fail_after(5):
        assert await stream.receive_some() == b""


async def test_a_body_beyond_the_bound_closes_the_connection(nursery: trio.Nursery) -> None:
    endpoint = ScriptedEndpoint(sequence(say("ok")))
    stream = await connected(nursery, endpoint)
    length = connection.MAX_BODY_BYTES + 1
    await stream.send_all(f"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n".encode())
    piece = bytes(1 << 20)
    with trio.fail_after(20):
        try:
            for _ in range(length // len(piece) + 1):
                await stream.send_all(piece)
            assert await stream.receive_some() == b""
        except trio.BrokenResourceError:
            pass
    assert endpoint.count == 0
