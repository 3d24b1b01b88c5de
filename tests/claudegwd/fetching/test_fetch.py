"""Fetching from a real server on loopback, which the test allows; and from nowhere else."""

import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from claudegwd.fetching import addresses, fetch
from claudegwd.fetching.fetch import Fetched, Fetcher
from claudegwd.openai_api.errors import InvalidRequest

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 100
OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/png; q=1\r\nContent-Length: %d\r\n\r\n%b" % (len(PNG), PNG)


@asynccontextmanager
async def serving(answer: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[bytes]]:
    """A server on a free port, which the test lets stand for port 80; gives the request heads that came."""
    heads: list[bytes] = []

    async def handle(stream: trio.SocketStream) -> None:
        heads.append(bytes(await stream.receive_some(65536)))
        await stream.send_all(answer(heads[-1]))
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(lambda **kw: trio.serve_tcp(handle, 0, host="127.0.0.1", **kw))
        port = listeners[0].socket.getsockname()[1]
        monkeypatch.setitem(addresses._PORTS, "http", port)
        yield heads
        nursery.cancel_scope.cancel()


def inside(_: str) -> bool:
    return True


async def test_an_image_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(lambda _: OK, monkeypatch) as heads:
        got = await Fetcher(["localhost"], allowed=inside).fetch("http://localhost/a.png?x=1", "p")
    assert got == Fetched("image/png", PNG)
    assert heads[0].startswith(b"GET /a.png?x=1 HTTP/1.1\r\n")


async def test_letters_that_urls_do_not_have_are_sent_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = "HTTP/1.1 302 Found\r\nLocation: /b\u00fccher 2.png\r\nContent-Length: 0\r\n\r\n".encode()
    async with serving(lambda head: moved if b"/a" in head else OK, monkeypatch) as heads:
        got = await Fetcher(["localhost"], allowed=inside).fetch("http://localhost/a\u00e9 b.png", "p")
    assert got == Fetched("image/png", PNG)
    assert [head.split(b"\r\n")[0] for head in heads] == [
        b"GET /a%C3%A9%20b.png HTTP/1.1",
        b"GET /b%C3%BCcher%202.png HTTP/1.1",
    ]


async def test_the_certificates_of_the_system_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fetch._context.cache_clear()
    async with serving(lambda _: OK, monkeypatch):
        monkeypatch.setitem(addresses._PORTS, "https", addresses._PORTS["http"])
        for _ in range(2):
            with pytest.raises(InvalidRequest, match="not answer properly"):  # it speaks no TLS
                await Fetcher(["localhost"], allowed=inside).fetch("https://localhost/a.png", "p")
    assert fetch._context.cache_info()[:2] == (1, 1)  # hits, misses


async def test_a_name_that_cannot_be_looked_up_is_the_callers_mistake() -> None:
    with pytest.raises(InvalidRequest, match="its URL is invalid"):
        await Fetcher(["*"]).fetch("http://a..b/a.png", "p")


class Resolved(trio.abc.HostnameResolver):
    """A name service for which every name has these addresses."""

    def __init__(self, *found: str) -> None:
        self.found = found

    async def getaddrinfo(  # type: ignore[override]
        self, host: object, port: int, *_: object, **__: object
    ) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (each, port, 0, 0))
            if ":" in each
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in self.found
        ]

    async def getnameinfo(self, sockaddr: object, flags: int) -> tuple[str, str]:
        raise NotImplementedError


async def test_an_address_that_refuses_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(lambda _: OK, monkeypatch):
        trio.socket.set_custom_hostname_resolver(Resolved("::1", "127.0.0.1"))
        got = await Fetcher(["a.example"], allowed=inside).fetch("http://a.example/a.png", "p")
        assert got == Fetched("image/png", PNG)
        trio.socket.set_custom_hostname_resolver(Resolved("::1"))
        with pytest.raises(InvalidRequest, match="not answer properly"):
            await Fetcher(["a.example"], allowed=inside).fetch("http://a.example/a.png", "p")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is one address of loopback, or another backlog")
async def test_an_address_that_does_not_answer_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "CONNECT_SECONDS", 0.05)
    trio.socket.set_custom_hostname_resolver(Resolved("127.0.0.2", "127.0.0.1"))
    async with serving(lambda _: OK, monkeypatch):
        place = ("127.0.0.2", addresses._PORTS["http"])
        with socket.create_server(place, backlog=0), socket.create_connection(place):  # it takes no second one
            with pytest.raises(TimeoutError):
                socket.create_connection(place, timeout=0.05)
            got = await Fetcher(["a.example"], allowed=inside).fetch("http://a.example/a.png", "p")
    assert got == Fetched("image/png", PNG)


async def test_one_inner_address_among_others_is_refused() -> None:
    trio.socket.set_custom_hostname_resolver(Resolved("93.184.216.34", "127.0.0.1"))
    with pytest.raises(InvalidRequest, match="not on the public internet"):
        await Fetcher(["*"]).fetch("http://a.example/a.png", "p")


def test_the_families_take_turns() -> None:
    six, four = socket.AF_INET6, socket.AF_INET
    found = [(six, "a"), (six, "b"), (six, "c"), (four, "d"), (four, "e")]
    assert fetch.interleaved(found) == [(six, "a"), (four, "d"), (six, "b"), (four, "e"), (six, "c")]


async def test_an_inner_address_is_refused_though_its_host_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(lambda _: OK, monkeypatch) as heads:
        with pytest.raises(InvalidRequest, match="not on the public internet"):
            await Fetcher(["*"]).fetch("http://localhost/a.png", "p")
    assert heads == []


async def test_a_redirect_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    away = b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/a\r\nContent-Length: 0\r\n\r\n"
    async with serving(lambda _: away, monkeypatch):
        with pytest.raises(InvalidRequest, match="from this host"):
            await Fetcher(["localhost"], allowed=inside).fetch("http://localhost/a.png", "p")


async def test_redirects_are_followed_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    once = b"HTTP/1.1 307 T\r\nLocation: /b.png\r\nContent-Length: 0\r\n\r\n"

    def answer(head: bytes) -> bytes:
        return OK if head.startswith(b"GET /b.png") else once

    async with serving(answer, monkeypatch):
        assert (await Fetcher(["localhost"], allowed=inside).fetch("http://localhost/a", "p")).data == PNG
    async with serving(lambda _: once, monkeypatch) as heads:
        with pytest.raises(InvalidRequest, match="redirects"):
            await Fetcher(["localhost"], allowed=inside).fetch("http://localhost/a", "p")
    assert len(heads) == fetch.MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "answered 404"),
        (b"nonsense\r\n\r\n", "not answer properly"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", "not answer properly"),
        (b"", "hung up|not answer properly"),
    ],
)
async def test_what_a_server_does_wrong_is_said(answer: bytes, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(lambda _: answer, monkeypatch):
        with pytest.raises(InvalidRequest, match=text) as caught:
            await Fetcher(["localhost"], allowed=inside).fetch("http://localhost/a", "messages[0]")
    assert caught.value.param == "messages[0]"


async def test_too_much_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "MAX_FETCH_BYTES", 50)
    async with serving(lambda _: OK, monkeypatch):
        with pytest.raises(InvalidRequest, match="larger than 50 bytes"):
            await Fetcher(["localhost"], allowed=inside).fetch("http://localhost/a", "p")


async def test_a_silent_server_is_given_up(autojump_clock: object, monkeypatch: pytest.MonkeyPatch) -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")  # the kernel connects; nobody ever answers
    monkeypatch.setitem(addresses._PORTS, "http", listeners[0].socket.getsockname()[1])
    started = trio.current_time()
    with pytest.raises(InvalidRequest, match="took more than"):
        await Fetcher(["localhost"], allowed=inside).fetch("http://localhost/a", "p")
    assert trio.current_time() - started == pytest.approx(fetch.FETCH_SECONDS)
    await listeners[0].aclose()
