import math
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
import trio.testing

from claudegwd.logs import log
from claudegwd.servers.serving import (
    KEEP_ALIVE_SECONDS,
    LINGER_SECONDS,
    MAX_CONNECTIONS,
    WRITE_SECONDS,
    Server,
    connections_within,
)
from claudegwd.workers.pool.sweep import UNREAD_SECONDS

PATIENCE = 10.0  # far beyond what any step takes; only bounds a test that hangs


@dataclass
class Small:
    """An application whose answer to /slow waits for the test."""

    begun: trio.Event = field(default_factory=trio.Event)
    finish: trio.Event = field(default_factory=trio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/broken":
            raise ValueError("nobody foresaw this")
        if scope["path"] == "/slow":
            self.begun.set()
            await self.finish.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@dataclass
class Running:
    app: Any
    server: Server
    port: int
    nursery: trio.Nursery

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)


@asynccontextmanager
async def running(app: Any = None, patience: float = PATIENCE) -> AsyncIterator[Running]:
    app = app or Small()
    with socket.create_server(("127.0.0.1", 0)) as listener, trio.fail_after(patience):
        listener.settimeout(0)
        server = Server(app, [listener.dup()])
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve)
            yield Running(app, server, listener.getsockname()[1], nursery)


async def ask(stream: trio.SocketStream, path: str = "/", *headers: str) -> str:
    lines = [f"GET {path} HTTP/1.1", "host: here", *headers]
    await stream.send_all("\r\n".join([*lines, "", ""]).encode())
    got = b""
    while not got.endswith(b"ok"):
        piece = await stream.receive_some()
        assert piece, "the connection ended without an answer"
        got += piece
    return got.decode().lower()


async def test_a_connection_that_asked_to_be_closed_is_closed() -> None:
    async with running() as here:
        stream = await here.connect()
        await ask(stream, "/", "connection: close")
        assert await stream.receive_some() == b""
        await here.server.stop(PATIENCE)


async def test_a_kept_connection_takes_the_next_request() -> None:
    async with running() as here:
        stream = await here.connect()
        assert "connection: close" not in await ask(stream)
        assert "connection: close" not in await ask(stream)
        await here.server.stop(PATIENCE)


@pytest.mark.parametrize("kept", [True, False])
async def test_an_answer_under_way_is_given_whole(kept: bool) -> None:
    async with running() as here:
        answers: list[str] = []

        async def client() -> None:
            answers.append(await ask(await here.connect(), "/slow"))

        here.nursery.start_soon(client)
        await here.app.begun.wait()
        async with trio.open_nursery() as stopping:
            stopping.start_soon(lambda: here.server.stop(PATIENCE, kept=kept))
            await trio.testing.wait_all_tasks_blocked()
            here.app.finish.set()
        assert "connection: close" in answers[0]


async def test_while_listeners_are_kept_a_request_on_an_open_connection_is_the_last_there() -> None:
    async with running() as here:
        stream = await here.connect()
        await ask(stream)
        async with trio.open_nursery() as stopping:
            stopping.start_soon(lambda: here.server.stop(PATIENCE, kept=True))
            await trio.testing.wait_all_tasks_blocked()
            assert "connection: close" in await ask(stream)
            assert await stream.receive_some() == b""


async def test_while_listeners_are_kept_an_idle_connection_is_closed_after_a_moment() -> None:
    async with running() as here:
        stream = await here.connect()
        await ask(stream)
        started = trio.current_time()
        await here.server.stop(PATIENCE, kept=True)
        assert trio.current_time() - started >= LINGER_SECONDS
        assert await stream.receive_some() == b""


async def test_without_a_keeper_a_new_connection_is_answered_until_the_last_answer_is_out() -> None:
    async with running() as here:
        here.nursery.start_soon(ask, await here.connect(), "/slow")
        await here.app.begun.wait()
        async with trio.open_nursery() as stopping:
            stopping.start_soon(here.server.stop, PATIENCE)
            await trio.testing.wait_all_tasks_blocked()
            assert "connection: close" in await ask(await here.connect())
            here.app.finish.set()


async def test_a_client_that_never_gets_its_answer_does_not_delay_the_end() -> None:
    async with running() as here:
        stream = await here.connect()
        await stream.send_all(b"GET /slow HTTP/1.1\r\nhost: here\r\n\r\n")
        await here.app.begun.wait()
        await here.server.stop(0.1)
        assert await stream.receive_some() == b""


PIECES = [b"GET /slow HTTP/1.1\r\nhost: here\r\n", *([b"x: y\r\n"] * 100)]


@pytest.mark.parametrize("first", [[], [b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"]], ids=["at once", "after an answer"])
async def test_a_head_that_comes_slowly_is_cut_off(autojump_clock: object, first: list[bytes]) -> None:
    async with running(patience=math.inf) as here:
        stream = await here.connect()
        for request in first:
            await stream.send_all(request)
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
        started = trio.current_time()
        sent = await cut_off(stream, PIECES)
        assert KEEP_ALIVE_SECONDS <= trio.current_time() - started < 2 * KEEP_ALIVE_SECONDS
        assert sent < len(PIECES)
        assert not here.app.begun.is_set()
        await here.server.stop(PATIENCE)


LARGE = 32 * 1024 * 1024  # more than sockets hold


@dataclass
class Large:
    """An application whose answer no socket holds; it tells how it ended."""

    gone: trio.Event = field(default_factory=trio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": bytes(LARGE)})
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone.set()


async def test_a_client_that_reads_nothing_is_let_go_of(autojump_clock: object) -> None:
    async with running(Large(), patience=math.inf) as here, await here.connect() as stream:
        await stream.send_all(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        started = trio.current_time()
        with trio.fail_after(2 * WRITE_SECONDS):
            await here.app.gone.wait()
        assert trio.current_time() - started >= WRITE_SECONDS
        await trio.testing.wait_all_tasks_blocked()
        assert here.server._room() == MAX_CONNECTIONS
        await here.server.stop(PATIENCE)
    assert UNREAD_SECONDS < WRITE_SECONDS  # else an answer that nobody reads would not end under its own name


async def test_a_client_that_reads_slowly_has_all_of_it(autojump_clock: object) -> None:
    async with running(Large(), patience=math.inf) as here, await here.connect() as stream:
        await stream.send_all(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        started, got = trio.current_time(), 0
        while piece := await stream.receive_some(1024 * 1024):
            got += len(piece)
            await trio.sleep(WRITE_SECONDS / 3)
        assert got > LARGE
        assert trio.current_time() - started > WRITE_SECONDS
        await here.server.stop(PATIENCE)


async def cut_off(stream: trio.SocketStream, pieces: list[bytes]) -> int:
    """Send a piece every five seconds until the other side closes; how many were sent."""
    for sent, piece in enumerate(pieces):
        with trio.move_on_after(5):
            with suppress(trio.BrokenResourceError):
                assert not await stream.receive_some()
            return sent
        try:
            await stream.send_all(piece)
        except trio.BrokenResourceError:
            return sent
    return len(pieces)


async def test_an_application_that_fails_is_not_silent(caplog: pytest.LogCaptureFixture) -> None:
    log.propagate, before = True, log.propagate
    try:
        async with running() as here:
            stream = await here.connect()
            await stream.send_all(b"GET /broken HTTP/1.1\r\nhost: here\r\n\r\n")
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 500")
            assert "connection: close" not in await ask(await here.connect())
            await here.server.stop(PATIENCE)
    finally:
        log.propagate = before
    assert "an answer failed unexpectedly" in caplog.text


async def test_a_crowd_is_let_in_at_once_and_answered() -> None:
    async with running() as here:
        crowd = [await here.connect() for _ in range(200)]
        for stream in crowd:
            await stream.send_all(b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
        for stream in crowd:
            got = b""
            while piece := await stream.receive_some():
                got += piece
            assert got.endswith(b"ok")
        await here.server.stop(PATIENCE)


async def test_of_many_requests_at_once_one_begins_in_each_round_and_an_urgent_one_passes() -> None:
    begun: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.append(scope["path"])

    async def no_answer(*_: object) -> None:
        raise AssertionError

    server = Server(app, [], urgent=("/livez",))
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(server._request, {"path": f"/{number}"}, no_answer, no_answer)
        await trio.lowlevel.checkpoint()
        nursery.start_soon(server._request, {"path": "/livez"}, no_answer, no_answer)
        await trio.testing.wait_all_tasks_blocked()
    assert sorted(begun) == sorted([*map("/{}".format, range(20)), "/livez"])
    assert begun.index("/livez") < 5


@pytest.mark.parametrize(
    ("descriptors", "workers", "connections"), [(65536, 8, MAX_CONNECTIONS), (256, 8, 176), (100, 8, 20), (20, 8, 1)]
)
def test_descriptors_are_kept_back_for_all_else(descriptors: int, workers: int, connections: int) -> None:
    assert connections_within(descriptors, workers) == connections


async def test_more_connections_than_may_be_open_are_closed_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
        async with trio.open_nursery() as nursery:
            server = Server(Small(), [listener.dup()], connections=3)
            await nursery.start(server.serve)
            opened = [stack.enter_context(socket.create_connection(listener.getsockname())) for _ in range(9)]
            for number, sock in enumerate(opened):
                stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock.dup()))
                answer = b""
                with trio.fail_after(PATIENCE), suppress(trio.BrokenResourceError):
                    await stream.send_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
                    answer = bytes(await stream.receive_some(12))
                assert answer == (b"HTTP/1.1 200" if number < 3 else b"")
            nursery.cancel_scope.cancel()
