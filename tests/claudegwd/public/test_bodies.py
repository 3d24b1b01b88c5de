"""Bodies that are too large, that nobody reads, that do not come, and that come packed."""

from __future__ import annotations

import gzip
import json
import math
from typing import Any

import pytest
import trio
from msgspec.structs import replace

from claudegwd.openai_api.errors import BodyTooLarge
from claudegwd.public.app import public_app
from claudegwd.public.bodies import (
    BODY_SECONDS,
    DISCARDED_BYTES,
    DISCARDED_SECONDS,
    DISCARDED_SILENCE_SECONDS,
    RequestBody,
)
from tests.claudegwd.public.test_app import gateway
from tests.claudegwd.servers.test_serving import PATIENCE, Running, running

POST = "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {type}\r\n"
JSON = POST.format(path="/v1/chat/completions", type="application/json").encode()
BOUND = 1_000_000
# More than the sockets' buffers hold on both sides, so that a server which closes early cuts its client off.
LARGE = 24 * BOUND


def small_gateway() -> Any:
    here = gateway()
    here.config = replace(here.config, server=replace(here.config.server, max_body_bytes=BOUND))
    return here


async def answer(stream: trio.SocketStream) -> tuple[int, dict[str, Any]]:
    """Status and error of the next answer."""
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b"}}"):
        piece = await stream.receive_some()
        assert piece, "the connection ended without an answer"
        data += piece
    return int(data.split()[1]), json.loads(data.partition(b"\r\n\r\n")[2])["error"]


async def write(stream: trio.SocketStream, size: int, chunked: bool) -> None:
    """All of a body, before a look at what the server says: as most clients do."""
    framing = "transfer-encoding: chunked" if chunked else f"content-length: {size}"
    await stream.send_all(f"{framing}\r\n\r\n".encode())
    piece = b" " * 100_000
    for _ in range(0, size, len(piece)):
        await stream.send_all(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
    if chunked:
        await stream.send_all(b"0\r\n\r\n")


REFUSALS = {
    413: ("/v1/chat/completions", "application/json"),
    415: ("/v1/chat/completions", "text/plain"),
    404: ("/v1/embeddings", "application/json"),
    405: ("/v1/models", "application/json"),
}


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("status", REFUSALS)
async def test_who_writes_a_large_body_to_its_end_reads_why_it_is_refused(status: int, chunked: bool) -> None:
    path, kind = REFUSALS[status]
    async with running(public_app(small_gateway())) as server:
        stream = await server.connect()
        for _ in range(2):  # and goes on with the connection
            await stream.send_all(POST.format(path=path, type=kind).encode())
            await write(stream, LARGE, chunked)
            found, error = await answer(stream)
            assert found == status
            assert error["message"].startswith("cannot ")
        await stream.aclose()
        await server.server.stop(PATIENCE)


async def test_who_waits_for_the_answer_before_it_writes_has_it_soon(autojump_clock: object) -> None:
    async with running(public_app(small_gateway()), math.inf) as server:
        stream = await server.connect()
        started = trio.current_time()
        await stream.send_all(JSON + b"content-length: %d\r\n\r\n" % LARGE)
        assert (await answer(stream))[0] == 413
        assert trio.current_time() - started <= DISCARDED_SILENCE_SECONDS + 1
        assert await stream.receive_some() == b""
        await server.server.stop(PATIENCE)


SLOW = [(b"content-length: 1000\r\n\r\n", b" "), (b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n")]


async def test_a_body_that_comes_slowly_is_cut_off(autojump_clock: object) -> None:
    async with running(public_app(gateway()), math.inf) as server:
        for head, piece in SLOW:
            stream = await server.connect()
            started = trio.current_time()
            await stream.send_all(JSON + head)
            got = await answer_to(stream, piece)
            assert BODY_SECONDS <= trio.current_time() - started < 2 * BODY_SECONDS + DISCARDED_SECONDS
            assert got.startswith(b"HTTP/1.1 400 ")
            assert b"connection: close" in got.lower()
            assert "slowly" in json.loads(got.partition(b"\r\n\r\n")[2])["error"]["message"]
        # Nor does it hold the client's only place any longer.
        stream = await server.connect()
        await stream.send_all(JSON + b"content-length: 1\r\nconnection: close\r\n\r\n{")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 400 ")
        await server.server.stop(PATIENCE)


async def answer_to(stream: trio.SocketStream, piece: bytes) -> bytes:
    """What comes back, to its end, while a piece is sent every five seconds, 100 times at most."""
    got = b""
    for _ in range(100):
        with trio.move_on_after(5):
            try:
                data = await stream.receive_some()
            except trio.BrokenResourceError:
                return got
            got += data
            if not data:
                return got
            continue
        try:
            await stream.send_all(piece)
        except trio.BrokenResourceError:
            break
    return got


async def test_what_is_thrown_away_is_bounded_in_bytes_and_in_time(autojump_clock: object) -> None:
    piece = bytes(1024 * 1024)
    for seconds, most in ((0.0, DISCARDED_BYTES), (1.0, DISCARDED_SECONDS * len(piece))):
        body = RequestBody(10, 5)
        sent = 0

        async def client(body: RequestBody = body, seconds: float = seconds) -> None:
            nonlocal sent
            while True:
                body.append(piece)
                sent += len(piece)
                await trio.sleep(seconds)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(client)
            assert not await body.discard()
            nursery.cancel_scope.cancel()
        assert most / 2 <= sent <= most + 2 * len(piece)
        assert not body._data


async def test_the_bound_holds_for_what_is_read_piece_by_piece() -> None:
    body = RequestBody(None, 1000)
    for _ in range(10):
        body.append(b"x" * 100)
        assert len(await body.piece()) == 100
    body.append(b"x")
    with pytest.raises(BodyTooLarge, match=r"more than 1000 bytes, which is server\.max_body_bytes"):
        await body.piece()


async def post(server: Running, body: bytes, *headers: bytes) -> tuple[int, dict[str, Any]]:
    stream = await server.connect()
    head = b"".join(header + b"\r\n" for header in (*headers, b"content-length: %d" % len(body)))
    await stream.send_all(JSON + head + b"\r\n" + body)
    return await answer(stream)


async def test_a_packed_body_is_read_as_if_it_were_not() -> None:
    async with running(public_app(small_gateway())) as server:
        for body in (b"[]", b'{"messages": 7}'):
            plain = await post(server, body)
            assert plain[0] == 400
            assert await post(server, gzip.compress(body), b"content-encoding: gzip") == plain
            assert await post(server, b"\xef\xbb\xbf" + body) == plain
        # The bound is on both: what is sent, and what becomes of it.
        assert (await post(server, gzip.compress(b" " * (BOUND + 1)), b"content-encoding: gzip"))[0] == 413
        status, error = await post(server, b"{}", b"content-encoding: gzip")
        assert (status, "gzip" in error["message"]) == (400, True)
        assert (await post(server, b"{}", b"content-encoding: br"))[0] == 415
        await server.server.stop(PATIENCE)
