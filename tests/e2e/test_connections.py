"""HTTP connections at their edges: cut bodies, continuing, keep-alive, many half-open ones."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from claudegwd.demo.replies import echo
from tests.e2e.harness import MODEL, Running, as_messages, secret

pytestmark = pytest.mark.cli

BODY = json.dumps({"model": MODEL, "messages": as_messages(secret("over a socket"))}).encode()


def head(length: int, *more: str) -> bytes:
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: localhost", "Content-Type: application/json",
             f"Content-Length: {length}", *more]  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode()


@asynccontextmanager
async def connection(gateway: Running) -> AsyncIterator[trio.SocketStream]:
    stream = await trio.open_tcp_stream("127.0.0.1", gateway.port)
    async with stream:
        yield stream


async def answer(stream: trio.SocketStream) -> tuple[int, bytes]:
    """Status and body of the next answer on this connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += await received(stream)
    top, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in top.split(b"\r\n") if line.lower().startswith(b"content-length"))
    while len(body) < length:
        body += await received(stream)
    return int(top.split()[1]), body


async def received(stream: trio.SocketStream) -> bytes:
    data = bytes(await stream.receive_some(65536))
    assert data, "the connection was closed"
    return data


async def test_a_body_that_is_cut_off_half_way_harms_nobody(gateway: Running) -> None:
    async with connection(gateway) as stream:
        await stream.send_all(head(len(BODY)) + BODY[: len(BODY) // 2])

    async def nothing_is_active() -> bool:
        return bool((await gateway.status())["requests"]["active"] == 0)

    await gateway.until(nothing_is_active)
    assert gateway.endpoint.count == 0
    assert (await gateway.ask("Still there?")).text == "Still there?"


async def test_expect_100_continue(gateway: Running) -> None:
    async with connection(gateway) as stream:
        await stream.send_all(head(len(BODY), "Expect: 100-continue"))
        assert (await received(stream)).startswith(b"HTTP/1.1 100")
        await stream.send_all(BODY)
        status, body = await answer(stream)
    assert status == 200
    assert secret("over a socket").encode() in body


async def test_a_connection_lives_on_after_an_error(gateway: Running) -> None:
    async with connection(gateway) as stream:
        for body, expected in ((b"{", 400), (b'{"model":"nothing","messages":[]}', 400), (BODY, 200), (b"[]", 400)):
            await stream.send_all(head(len(body)) + body)
            status, _ = await answer(stream)
            assert status == expected


async def test_a_refusal_before_the_body_was_read_keeps_the_connection(gateway: Running) -> None:
    for _ in range(50):  # head and body come in two pieces, and the refusal may come between
        refused = await gateway.http.post("/v1/chat/completions", content=BODY, headers={"content-type": "text/plain"})
        assert refused.status_code == 415
        assert (await gateway.http.get("/livez")).status_code == 200


async def test_requests_in_a_pipeline_are_answered_in_order(gateway: Running) -> None:
    async with connection(gateway) as stream:
        await stream.send_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
        data = b""
        while data.count(b"ok\n") < 2:
            data += await received(stream)
    assert data.count(b"HTTP/1.1 200") == 2


UPGRADE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%s\r\n"
JUNK = {
    "TLS": b"\x16\x03\x01\x02\x00\x01",
    "no target": b"GET\r\n\r\n",
    "an endless head": b"G" * 70_000,
    "empty lines": b"\r\n" * 10,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an upgrade to HTTP/2": UPGRADE % (b"h2c", b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"),
    "a WebSocket": UPGRADE
    % (b"websocket", b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"),
    "two lengths": b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a broken chunk": b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("name", JUNK)
async def test_what_is_no_http_harms_nobody(gateway: Running, name: str) -> None:
    async with connection(gateway) as stream:
        try:
            await stream.send_all(JUNK[name])
            await stream.send_eof()
            with trio.fail_after(10):
                while await stream.receive_some(65536):
                    pass
        except trio.BrokenResourceError:
            pass
    assert (await gateway.http.get("/livez")).status_code == 200
    assert "failed unexpectedly" not in gateway.log


async def test_half_open_connections_keep_nobody_out(gateway: Running) -> None:
    before = gateway.daemon.descriptors()
    gateway.endpoint.script = echo()
    streams = [await trio.open_tcp_stream("127.0.0.1", gateway.port) for _ in range(300)]
    for stream in streams:
        await stream.send_all(b"POST /v1/chat/completions HTTP/1.1\r\nHost: local")
    assert (await gateway.ask("Through the crowd.")).text == "Through the crowd."
    for stream in streams:
        await trio.aclose_forcefully(stream)

    async def closed() -> bool:
        return gateway.daemon.descriptors() < before + 30

    await gateway.until(closed)


async def test_connections_that_were_closed_are_let_go_at_once(gateway: Running) -> None:
    before = gateway.daemon.descriptors()
    for _ in range(30):
        await gateway.status()  # each on a connection of its own
        async with connection(gateway) as stream:
            await stream.send_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await received(stream)

    async def closed() -> bool:
        return gateway.daemon.descriptors() <= before + 2

    await gateway.until(closed, 5)
