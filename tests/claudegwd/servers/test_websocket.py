"""Which request heads ask for the one WebSocket that there is. What is said on it: tests/e2e/test_websocket.py.

And who is taken to be gone."""

import socket
from typing import Any

import pytest
import trio
from trio.abc import Clock

from claudegwd.servers.serving import PING_SECONDS, Server
from claudegwd.servers.websocket import MISSED_PONGS, asks_for_websocket
from tests.websocket_client import connected

HEADERS = {
    b"host": b"here", b"connection": b"keep-alive, Upgrade", b"upgrade": b"WebSocket", b"sec-websocket-key": b"k",
    b"sec-websocket-version": b"13",
}  # fmt: skip


def asks(method: bytes = b"GET", target: bytes = b"/v1/responses", version: bytes = b"1.1", **more: bytes) -> bool:
    headers = {**HEADERS, **{name.replace("_", "-").encode(): value for name, value in more.items()}}
    return asks_for_websocket(method, target, version, [(name, value) for name, value in headers.items() if value])


@pytest.mark.parametrize("target", [b"/v1/responses", b"/v1/responses/", b"/v1/responses?model=m"])
def test_the_route_has_one(target: bytes) -> None:
    assert asks(target=target)


@pytest.mark.parametrize("target", [b"/", b"/v1/responses/resp_1", b"/v1/chat/completions", b"/v1/responses/compact"])
def test_no_other_has(target: bytes) -> None:
    assert not asks(target=target)


def test_whatever_is_not_whole_is_a_request_as_any_other() -> None:
    assert not asks(method=b"POST")
    assert not asks(version=b"1.0")
    assert not asks(upgrade=b"h2c")
    assert not asks(upgrade=b"")
    assert not asks(connection=b"keep-alive")
    assert not asks(sec_websocket_key=b"")
    assert not asks(sec_websocket_version=b"8")
    assert not asks(sec_websocket_version=b"")
    assert not asks(content_length=b"5")
    assert not asks(transfer_encoding=b"chunked")


def test_headers_that_wsproto_cannot_split_ask_for_none() -> None:
    assert not asks(connection=b"Upgrade, \xff")
    assert not asks(sec_websocket_protocol=b"\xe9")
    assert not asks(sec_websocket_extensions=b"\xe9")
    assert asks(x_name=b"\xe9")


async def serve(nursery: trio.Nursery, seen: list[str], said: str = "") -> int:
    """A server with an application that takes one WebSocket, says something and notes how it ends; its port."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        if said:
            nursery.start_soon(send, {"type": "websocket.send", "bytes": None, "text": said})
        while (event := await receive())["type"] == "websocket.receive":
            pass
        seen.append(event["type"])

    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    server = Server(app, [sock])
    await nursery.start(server.serve)
    return int(sock.getsockname()[1])


async def test_frames_before_the_handshake_are_refused_and_leave_nothing_behind() -> None:
    seen: list[str] = []
    async with trio.open_nursery() as nursery:
        port = await serve(nursery, seen)
        head = b"".join(b"%s: %s\r\n" % each for each in HEADERS.items())
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"GET /v1/responses HTTP/1.1\r\n" + head + b"\r\n\x81\x82\0\0\0\0{}")
            answer = b""
            with trio.fail_after(10):
                while piece := await stream.receive_some():
                    answer += piece
                while not seen:
                    await trio.sleep(0.01)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert seen == ["websocket.disconnect"]
        nursery.cancel_scope.cancel()


async def test_a_client_that_answers_no_ping_is_let_go_of_within_a_bound(autojump_clock: Clock) -> None:
    seen: list[str] = []
    async with trio.open_nursery() as nursery:
        port = await serve(nursery, seen)
        began = trio.current_time()
        async with connected(port) as client:
            with trio.fail_after(PING_SECONDS * (MISSED_PONGS + 2)):
                while await client.stream.receive_some():  # pings, which nobody answers
                    pass
        assert trio.current_time() - began >= PING_SECONDS * MISSED_PONGS
        assert seen == ["websocket.disconnect"]
        nursery.cancel_scope.cancel()


async def test_a_client_that_reads_nothing_is_let_go_of_within_the_same(autojump_clock: Clock) -> None:
    seen: list[str] = []
    async with trio.open_nursery() as nursery:
        port = await serve(nursery, seen, "x" * 32_000_000)  # more than sockets hold: pings wait behind it
        began = trio.current_time()
        async with connected(port):
            with trio.fail_after(PING_SECONDS * (MISSED_PONGS + 2)):
                while not seen:
                    await trio.sleep(1)
        assert trio.current_time() - began >= PING_SECONDS * MISSED_PONGS
        nursery.cancel_scope.cancel()


async def test_a_client_that_answers_pings_may_be_silent_for_long(autojump_clock: Clock) -> None:
    seen: list[str] = []
    async with trio.open_nursery() as nursery:
        port = await serve(nursery, seen)
        async with connected(port) as client:
            with trio.move_on_after(PING_SECONDS * MISSED_PONGS * 3):
                await client.receive()
            assert await client.ping() == b"p"
            assert seen == []
        nursery.cancel_scope.cancel()
