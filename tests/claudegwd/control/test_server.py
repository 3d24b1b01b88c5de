from __future__ import annotations

from functools import partial
from pathlib import Path

import trio

from claudegwd.control.app import control_app
from claudegwd.control.controllable import Controls
from claudegwd.control.server import GRACE_SECONDS, serve_control
from claudegwd.logs import LogEntry
from claudegwd.sockets import open_control
from tests.small_gateway import SmallGateway, client_of, running

FOLLOW = b"GET /v1/logs?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n"


async def read_until(stream: trio.SocketStream, wanted: bytes) -> bytes:
    got = b""
    while wanted not in got:
        more = await stream.receive_some()
        if not more:
            break
        got += more
    return got


async def test_several_requests_on_one_connection(gateway: SmallGateway) -> None:
    async with running(gateway) as path:
        stream = await trio.open_unix_socket(path)
        async with stream:
            for _ in range(3):
                await stream.send_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await read_until(stream, b"}\n")).startswith(b"HTTP/1.1 200")


async def test_idle_connections_end_at_once(gateway: SmallGateway) -> None:
    began = trio.current_time()
    async with running(gateway) as path:
        stream = await trio.open_unix_socket(path)
        await stream.send_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
        await read_until(stream, b"}\n")
    assert trio.current_time() - began < GRACE_SECONDS
    assert await read_until(stream, b"never") == b""
    await stream.aclose()


async def test_a_connection_that_says_nothing_ends(gateway: SmallGateway) -> None:
    with trio.fail_after(GRACE_SECONDS + 5):
        async with running(gateway) as path:
            stream = await trio.open_unix_socket(path)
    await stream.aclose()


async def test_a_follower_who_reads_does_not_hold_the_end(gateway: SmallGateway) -> None:
    with trio.fail_after(GRACE_SECONDS + 5):
        async with running(gateway) as path:
            stream = await trio.open_unix_socket(path)
            await stream.send_all(FOLLOW)
            assert b"x-ndjson" in await read_until(stream, b"\r\n\r\n")
    await read_until(stream, b"never")
    await stream.aclose()


async def test_a_follower_who_stopped_reading_does_not_hold_the_end(gateway: SmallGateway) -> None:
    with trio.fail_after(GRACE_SECONDS + 10):
        async with running(gateway) as path:
            stream = await trio.open_unix_socket(path)
            await stream.send_all(FOLLOW)
            await read_until(stream, b"\r\n\r\n")
            await fill(gateway, path)
    await stream.aclose()


async def test_being_cancelled_with_a_follower_who_stopped_reading(gateway: SmallGateway) -> None:
    shutdown = trio.Event()
    with open_control(gateway.directory / "control.sock") as control, trio.fail_after(GRACE_SECONDS + 10):
        async with trio.open_nursery() as nursery:
            await nursery.start(
                partial(serve_control, control_app(Controls(gateway, gateway)), control.socket, shutdown=shutdown)
            )
            stream = await trio.open_unix_socket(control.path)
            await stream.send_all(FOLLOW)
            await read_until(stream, b"\r\n\r\n")
            await fill(gateway, control.path)
            nursery.cancel_scope.cancel()
    await stream.aclose()


async def fill(gateway: SmallGateway, path: Path) -> None:
    """Log more than a socket takes, in turns so that each record is sent; the others are served all the while."""
    large = LogEntry(0.0, "info", "claudegwd", "x" * 4000, {})
    async with client_of(path) as client:
        for _ in range(10):
            for _ in range(100):
                gateway.logs.append(large)
                await trio.lowlevel.checkpoint()
            assert (await client.get("/v1/status")).status_code == 200


async def test_rubbish_harms_nobody(gateway: SmallGateway) -> None:
    async with running(gateway) as path:
        for rubbish in (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 5000 + b"\r\n"):
            async with await trio.open_unix_socket(path) as stream:
                await stream.send_all(rubbish)
                await read_until(stream, b"\r\n\r\n")
        async with client_of(path) as client:
            assert (await client.get("/v1/status")).status_code == 200


async def test_a_body_cut_off_half_way(gateway: SmallGateway) -> None:
    async with running(gateway) as path:
        async with await trio.open_unix_socket(path) as stream:
            await stream.send_all(b"POST /v1/keys HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        async with client_of(path) as client:
            assert (await client.get("/v1/status")).status_code == 200
    assert [entry.text for entry in gateway.logs.tail(10, "warning")] == []
