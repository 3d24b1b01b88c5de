"""Posting by way of a proxy, and when it is used."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from claudegwd.notify.errors import DeliveryError, TryAgainError
from claudegwd.notify.post import post
from claudegwd.notify.tunnel import Proxy, proxy_of
from tests.claudegwd.notify.test_post import BODY, NO_CONTENT, contexts, serving

PROXY = "http://proxy.invalid:3128"


@asynccontextmanager
async def proxying(to: int, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> AsyncIterator[tuple[int, list[bytes]]]:
    """A proxy behind which every server is the one at port `to`: its port, and what it was asked."""
    asked: list[bytes] = []

    async def pump(source: trio.SocketStream, sink: trio.SocketStream) -> None:
        async for data in source:
            await sink.send_all(data)
        await sink.send_eof()

    async def handle(client: trio.SocketStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await client.receive_some(65536)
        asked.append(head)
        await client.send_all(answer)
        if b" 200 " in answer:
            server = await trio.open_tcp_stream("127.0.0.1", to)
            try:
                async with trio.open_nursery() as both:
                    both.start_soon(pump, client, server)
                    both.start_soon(pump, server, client)
            except* trio.BrokenResourceError:
                pass  # one of them was quicker

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(lambda **kw: trio.serve_tcp(handle, 0, host="127.0.0.1", **kw))
        yield listeners[0].socket.getsockname()[1], asked
        nursery.cancel_scope.cancel()


async def test_a_post_by_way_of_the_proxy(tmp_path: Path) -> None:
    server, trusting = contexts(tmp_path)
    async with serving(NO_CONTENT, server) as (port, got), proxying(port) as (by, asked):
        env = {"HTTPS_PROXY": f"http://me:se%20cret@127.0.0.1:{by}"}
        await post("https://hooks.invalid/place", BODY, env, trusting)
    (head,) = asked
    assert head.startswith(b"CONNECT hooks.invalid:443 HTTP/1.1\r\n")
    assert b"Basic bWU6c2UgY3JldA==\r\n" in head
    assert len(got) == 1
    assert got[0].startswith(b"POST /place HTTP/1.1\r\n")
    assert b"bWU6" not in got[0], "what is for the proxy is not for the server"


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        (b"HTTP/1.1 407 Who\r\ncontent-length: 0\r\n\r\n", False),
        (b"HTTP/1.1 502 No\r\ncontent-length: 0\r\n\r\n", True),
    ],
)
async def test_a_proxy_that_refuses(answer: bytes, *, again: bool) -> None:
    async with proxying(0, answer) as (by, _):
        with pytest.raises(DeliveryError, match=f"the proxy of HTTPS_PROXY answered {answer[9:12].decode()}") as failed:
            await post("https://hooks.invalid/place", BODY, {"HTTPS_PROXY": f"127.0.0.1:{by}"})
    assert isinstance(failed.value, TryAgainError) == again


async def test_a_proxy_that_is_not_there() -> None:
    async with proxying(0) as (by, _):
        pass
    with pytest.raises(TryAgainError, match="the proxy of HTTPS_PROXY cannot be reached"):
        await post("https://hooks.invalid/place", BODY, {"HTTPS_PROXY": f"http://127.0.0.1:{by}"})


@pytest.mark.parametrize(
    ("host", "env", "proxy"),
    [
        ("hooks.example.org", {}, None),
        ("hooks.example.org", {"HTTPS_PROXY": PROXY}, Proxy("proxy.invalid", 3128)),
        ("hooks.example.org", {"https_proxy": "proxy.invalid"}, Proxy("proxy.invalid", 80)),
        ("hooks.example.org", {"HTTPS_PROXY": "https://p.invalid"}, Proxy("p.invalid", 443, secure=True)),
        ("hooks.example.org", {"HTTPS_PROXY": PROXY, "NO_PROXY": "a, example.org"}, None),
        ("hooks.example.org", {"HTTPS_PROXY": PROXY, "no_proxy": ".example.org"}, None),
        ("hooks.example.org", {"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, None),
        ("hooks.example.org", {"HTTPS_PROXY": PROXY, "NO_PROXY": "ks.example.org"}, Proxy("proxy.invalid", 3128)),
        ("localhost", {"HTTPS_PROXY": PROXY}, None),
        ("hooks.example.org", {"HTTP_PROXY": PROXY}, None),
    ],
)
def test_when_a_proxy_is_used(host: str, env: dict[str, str], proxy: Proxy | None) -> None:
    assert proxy_of(host, env) == proxy


@pytest.mark.parametrize(
    "address", ["socks5://proxy.invalid", "http://", "http://proxy.invalid:x", "http://p:0", "http://["]
)
def test_what_is_no_proxy_is_said_without_showing_it(address: str) -> None:
    with pytest.raises(DeliveryError, match=r"^HTTPS_PROXY is not the address of an HTTP proxy$"):
        proxy_of("hooks.example.org", {"HTTPS_PROXY": address})


def test_no_password_is_in_a_repr() -> None:
    proxy = proxy_of("hooks.example.org", {"HTTPS_PROXY": "http://me:secret@proxy.invalid"})
    assert "Basic" not in repr(proxy)
