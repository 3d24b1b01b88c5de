"""Which images of a request are fetched, and their bound together. How each is fetched: tests/claudegwd/fetching."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from claudegwd.fetching import addresses
from claudegwd.fetching.fetch import Fetcher
from claudegwd.openai_api.bounds import BOUNDS
from claudegwd.openai_api.chat.request import ChatRequest, ImagePart, Message, parse_chat_request
from claudegwd.openai_api.errors import BodyTooLarge, InvalidRequest
from claudegwd.public.images import fetched, with_fetched_images

IMAGE = b"\x89PNG\r\n\x1a\n" + b"x" * 892
URL = "data:image/png;base64,"
SIZE = len(URL) + 1200


async def fetch(monkeypatch: pytest.MonkeyPatch, count: int, most: int) -> ChatRequest:
    found: ChatRequest | BodyTooLarge

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n%b" % (len(IMAGE), IMAGE)
            )

    parts = [{"type": "image_url", "image_url": {"url": f"http://localhost/{number}"}} for number in range(count)]
    body = {"model": "sonnet", "messages": [{"role": "user", "content": parts}]}
    wanted = parse_chat_request(json.dumps(body).encode(), BOUNDS)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(lambda **kw: trio.serve_tcp(serve, 0, host="127.0.0.1", **kw))
        monkeypatch.setitem(addresses._PORTS, "http", listeners[0].socket.getsockname()[1])
        try:
            found = await fetched(wanted, Fetcher(["localhost"], allowed=lambda _: True), most)
        except BodyTooLarge as error:
            found = error
        nursery.cancel_scope.cancel()
    if isinstance(found, BodyTooLarge):
        raise found
    return found


async def test_they_are_fetched_into_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = (await fetch(monkeypatch, 3, 3 * SIZE)).messages[0].content
    assert [len(part.url) for part in parts if isinstance(part, ImagePart)] == [SIZE, SIZE, SIZE]
    assert all(part.url.startswith(URL) for part in parts if isinstance(part, ImagePart))


async def test_together_they_are_no_larger_than_a_body_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BodyTooLarge, match="together they have more than 3665 bytes in base64") as caught:
        await fetch(monkeypatch, 3, 3 * SIZE - 1)
    assert caught.value.param == "messages"


AT: Any = SimpleNamespace(
    config=SimpleNamespace(server=SimpleNamespace(fetch_hosts=("images.example.org",), max_body_bytes=10**6))
)


def request(url: str) -> ChatRequest:
    return ChatRequest(model="m", messages=(Message(role="user", content=(ImagePart(url),)),))


@pytest.mark.parametrize("scheme", ["data", "DATA"])
async def test_what_is_in_the_url_itself_is_not_fetched(scheme: str) -> None:
    wanted = request(f"{scheme}:image/png;base64,AAAA")
    assert await with_fetched_images(AT, wanted) is wanted


async def test_a_host_that_is_not_allowed_is_refused_by_its_path() -> None:
    with pytest.raises(InvalidRequest) as raised:
        await with_fetched_images(AT, request("https://other.example.org/a.png"))
    assert raised.value.param == "messages[0].content[0].image_url.url"
