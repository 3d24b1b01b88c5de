"""A search that is asked for on two routes, chat and messages: the same sources, and none that nobody cited."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from claudegwd.demo.script import Block, RecordedRequest, ScriptedReply
from tests.e2e.harness import MODEL, Running, running

pytestmark = pytest.mark.cli

ALLOWED = '[claude]\nserver_tools = ["web_search"]\n'
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
PAGES = {"https://a.example/1": "One", "https://a.example/2": "Two"}


def cited(url: str) -> dict[str, Any]:
    page = {"type": "web_search_result_location", "url": url, "title": PAGES[url], "cited_text": "x"}
    return {"type": "citations_delta", "citation": {**page, "encrypted_index": "e"}}


def said(text: str, *urls: str) -> Block:
    deltas = ({"type": "text_delta", "text": text[:2]}, {"type": "text_delta", "text": text[2:]}, *map(cited, urls))
    return Block({"type": "text", "text": ""}, deltas)


def searching(request: RecordedRequest) -> ScriptedReply:
    found = [{"type": "web_search_result", "url": url, "title": title} for url, title in PAGES.items()]
    found.append({"type": "web_search_result", "url": "https://a.example/uncited", "title": "Three"})
    first, second = PAGES
    return ScriptedReply(
        (
            Block({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}),
            Block({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": found}),
            said("😀 I found: "),
            said("it is so", first, second, first),
            said(". Or not", second),
        )
    )


EXPECTED = [
    (11, 19, "https://a.example/1", "One"),
    (11, 19, "https://a.example/2", "Two"),
    (19, 27, "https://a.example/2", "Two"),
]


@pytest.fixture
async def gateway() -> AsyncIterator[Running]:
    async with running(searching, config=ALLOWED) as started:
        yield started


def places(annotations: Any) -> list[tuple[int, int, str, str]]:
    found = [one if isinstance(one, dict) else one.model_dump() for one in annotations]
    assert {one["type"] for one in found} == {"url_citation"}
    cites = [one["url_citation"] for one in found]
    return [(one["start_index"], one["end_index"], one["url"], one["title"]) for one in cites]


async def test_chat_has_annotations_with_places_in_characters(gateway: Running) -> None:
    where = {"type": "approximate", "approximate": {"country": "GB", "city": "London"}}
    answer = await gateway.ask("x?", web_search_options={"user_location": where})
    assert places(answer.message.annotations) == EXPECTED
    start, end, *_ = EXPECTED[0]
    assert (answer.text or "")[start:end] == "it is so"
    (sent,) = gateway.upstream()
    location = {"type": "approximate", "country": "GB", "city": "London"}
    (tool,) = sent.body["tools"]
    assert tool == {"type": "web_search_20250305", "name": "web_search", "user_location": location}


async def test_a_stream_tells_them_after_the_text_that_rests_on_them(gateway: Running) -> None:
    text, found = "", []
    for chunk in await gateway.stream("x?", web_search_options={}):
        delta = chunk.choices[0].delta
        text += delta.content or ""
        for one in (delta.model_extra or {}).get("annotations") or ():
            (place,) = places([one])
            assert place[1] <= len(text)
            found.append(place)
    assert found == EXPECTED


async def test_messages_has_the_same_sources(gateway: Running) -> None:
    body = {
        "model": MODEL,
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "x?"}],
        "tools": [SEARCH],
    }
    answer = await gateway.post(body, "/v1/messages", headers={"anthropic-version": "2023-06-01"})
    texts = [block for block in answer.json()["content"] if block["type"] == "text"]
    urls = [one["url"] for block in texts for one in block.get("citations", ())]
    assert set(urls) == {place[2] for place in EXPECTED}


async def test_each_use_is_in_the_usage(gateway: Running) -> None:
    await gateway.ask("x?", web_search_options={})
    await gateway.ask("no search", model=MODEL)

    async def counted() -> bool:
        total = (await gateway.control("GET", "/v1/usage")).json()["total"]
        return (total["requests"], total["web_search_requests"], total["web_fetch_requests"]) == (2, 2, 0)

    await gateway.until(counted)
    metrics = (await gateway.http.get("/metrics")).text
    assert 'tool="web_search"} 1.0' in metrics.partition("\nclaudegwd_usage_server_tool_uses_total{")[2]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_a_key_of_ours_may_what_was_allowed_to_it_and_nothing_else(gateway: Running, path: str) -> None:
    body: dict[str, Any] = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "x?"}]}
    asks = {"tools": [SEARCH]} if path == "/v1/messages" else {"web_search_options": {}}
    key = (await gateway.control("POST", "/v1/clients", {"name": "laptop"})).json()["key"]
    headers = {"authorization": f"Bearer {key}", "anthropic-version": "2023-06-01"}
    refused = await gateway.post({**body, **asks}, path, headers=headers)
    assert (refused.status_code, "clients set NAME --server-tools web_search" in refused.text) == (403, True)
    changed = await gateway.control("PATCH", "/v1/clients/laptop", {"server_tools": ["web_search"]})
    assert changed.status_code == 200
    assert (await gateway.post({**body, **asks}, path, headers=headers)).status_code == 200
    await gateway.crash_and_restart()
    assert (await gateway.post({**body, **asks}, path, headers=headers)).status_code == 200


async def test_it_is_for_those_alone_who_may() -> None:
    async with running(searching) as gateway:
        error = await gateway.refused("x?", web_search_options={})
        assert isinstance(error, openai.PermissionDeniedError)
        assert error.param == "web_search_options"
    async with running(searching, config=f'{ALLOWED}[workers]\ncarrier = "transcript"\n') as gateway:
        error = await gateway.refused("x?", web_search_options={})
        assert (error.status_code, error.param) == (400, "web_search_options")
