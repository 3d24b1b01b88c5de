"""Which images of a request are fetched. How they are: tests/claudegwd/fetching."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from claudegwd.openai_api.chat.request import ChatRequest, ImagePart, Message
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.public.images import with_fetched_images

AT: Any = SimpleNamespace(config=SimpleNamespace(server=SimpleNamespace(fetch_hosts=("images.example.org",))))


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
