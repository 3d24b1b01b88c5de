"""A search that is asked for on three routes: the same sources, and none that nobody cited."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from claudegwd.demo.script import Block, RecordedRequest, ScriptedReply
from tests.e2e.harness import MODEL, Running, running
from tests.openai_description import validator

pytestmark = pytest.mark.cli

ALLOWED = '[claude]\nserver_tools = ["web_search"]\n'
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
UNCITED = "https://a.example/uncited"
PAGES = {"https://a.example/1": "One", "https://a.example/2": "Two"}


def cited(url: str) -> dict[str, Any]:
    page = {"type": "web_search_result_location", "url": url, "title": PAGES[url], "cited_text": "x"}
    return {"type": "citations_delta", "citation": {**page, "encrypted_index": "e"}}


def said(text: str, *urls: str) -> Block:
    deltas = ({"type": "text_delta", "text": text[:2]}, {"type": "text_delta", "text": text[2:]}, *map(cited, urls))
    return Block({"type": "text", "text": ""}, deltas)


def searching(request: RecordedRequest) -> ScriptedReply:
    found = [{"type": "web_search_result", "url": url, "title": title} for url, title in PAGES.items()]
    found.append({"type": "web_search_result", "url": UNCITED, "title": "Three"})
    first, second = PAGES
    return ScriptedReply(
        (
            said("Let me look. "),
            Block({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}),
            Block({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": found}),
            said("😀 I found: "),
            said("it is so", first, second, first),
            said(". Or not", second),
        )
    )


CITED = [*PAGES]
BEFORE = len("Let me look. ")
EXPECTED = [
    (24, 32, "https://a.example/1", "One"),
    (24, 32, "https://a.example/2", "Two"),
    (32, 40, "https://a.example/2", "Two"),
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


async def test_three_doors_give_the_same_sources(gateway: Running) -> None:
    chat = await gateway.ask("x?", web_search_options={})
    response = await gateway.client.responses.create(model=MODEL, input="x?", tools=[{"type": "web_search"}])
    parts = [part for item in response.output if item.type == "message" for part in item.content]
    annotations = [one for part in parts if part.type == "output_text" for one in part.annotations]
    of_chat = {one.url_citation.url for one in chat.message.annotations}
    of_responses = {one.url for one in annotations if one.type == "url_citation"}
    assert of_chat == of_responses == await sources_of_messages(gateway) == set(CITED)


async def sources_of_messages(gateway: Running) -> set[str]:
    body = {
        "model": MODEL,
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "x?"}],
        "tools": [SEARCH],
    }
    answer = await gateway.post(body, "/v1/messages", headers={"anthropic-version": "2023-06-01"})
    texts = [block for block in answer.json()["content"] if block["type"] == "text"]
    return {one["url"] for block in texts for one in block.get("citations", ())}


@pytest.mark.parametrize(
    "kind", ["web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"]
)
async def test_a_search_is_an_item_of_a_response_and_its_texts_name_their_places(gateway: Running, kind: str) -> None:
    tool: Any = {
        "type": kind, "search_context_size": "high",
        "user_location": {"type": "approximate", "city": "London", "country": None},
    }  # fmt: skip
    if "preview" not in kind:
        tool["filters"] = {"allowed_domains": ["a.example"]}
    raw = await gateway.client.responses.with_raw_response.create(
        model=MODEL, input="x?", tools=[tool], max_tool_calls=3, include=["web_search_call.action.sources"]
    )
    response = raw.parse()
    first, search, message = response.output
    assert (first.type, search.type, message.type) == ("message", "web_search_call", "message")
    assert (search.status, search.action.query, search.action.queries) == ("completed", "x", ["x"])
    assert [one.url for one in search.action.sources or ()] == [*PAGES, UNCITED]
    [part] = message.content
    found = [(one.start_index, one.end_index, one.url, one.title) for one in part.annotations]
    assert found == [(start - BEFORE, end - BEFORE, *page) for start, end, *page in EXPECTED]
    assert part.text[found[0][0] : found[0][1]] == "it is so"
    assert raw.headers["x-claudegw-ignored"] == f"tools.{kind}.search_context_size"
    [sent] = gateway.upstream()[0].body["tools"]
    assert (sent["max_uses"], sent["user_location"]) == (3, {"type": "approximate", "city": "London"})
    assert sent.get("allowed_domains") == tool.get("filters", {}).get("allowed_domains")


async def test_the_events_of_a_search(gateway: Running) -> None:
    stream = await gateway.client.responses.create(model=MODEL, input="x?", tools=[{"type": "web_search"}], stream=True)
    events = [event async for event in stream]
    of_search = [event.type for event in events if getattr(event, "output_index", None) == 1]
    assert of_search == [
        "response.output_item.added", "response.web_search_call.in_progress", "response.web_search_call.searching",
        "response.web_search_call.completed", "response.output_item.done",
    ]  # fmt: skip
    told = [event.annotation for event in events if event.type == "response.output_text.annotation.added"]
    last = events[-1]
    assert last.type == "response.completed"
    [part] = last.response.output[2].content
    assert [one.to_dict() for one in told] == [one.to_dict() for one in part.annotations] != []
    assert not hasattr(last.response.output[1].action, "sources") or not last.response.output[1].action.sources
    after = await gateway.client.responses.create(model=MODEL, input="y", previous_response_id=last.response.id)
    assert after.status == "completed"


async def test_a_search_that_fails_and_one_that_is_cut(gateway: Running) -> None:
    error = {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    asked = Block({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}})
    failed = Block({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": error})
    for reply in (ScriptedReply((asked, failed, said("Sorry"))), ScriptedReply((asked,), stop_reason="pause_turn")):
        gateway.endpoint.script = lambda request, reply=reply: reply
        response = await gateway.client.responses.create(model=MODEL, input="x?", tools=[{"type": "web_search"}])
        assert response.output[0].to_dict()["status"] == "failed"
        assert response.status == ("completed" if reply.stop_reason == "end_turn" else "incomplete")


async def test_a_search_that_is_only_offered_is_left_aside_where_it_cannot_be_made(gateway: Running) -> None:
    gateway.endpoint.script = lambda request: ScriptedReply((said("No search"),))
    created = gateway.client.responses.with_raw_response.create
    # As Codex offers it by default: what was fetched before, and nothing live.
    cached: Any = {"type": "web_search", "external_web_access": False}
    answer = await created(model=MODEL, input="x?", tools=[cached])
    assert answer.headers["x-claudegw-ignored"] == "tools.web_search"
    gateway.daemon.write_config("")
    await gateway.control("POST", "/v1/reload")
    answer = await created(model=MODEL, input="x?", tools=[{"type": "web_search"}])
    assert answer.headers["x-claudegw-ignored"] == "tools.web_search"
    assert [sent.body["tools"] for sent in gateway.upstream()] == [[], []]
    for choice in ("required", {"type": "web_search"}):
        demanded: Any = choice
        with pytest.raises(openai.PermissionDeniedError) as refused:
            await created(model=MODEL, input="x?", tools=[{"type": "web_search"}], tool_choice=demanded)
        assert refused.value.param == "tool_choice"


async def test_a_clients_own_tool_of_that_name_comes_first(gateway: Running) -> None:
    gateway.endpoint.script = lambda request: ScriptedReply((said("No search"),))
    tools: Any = [{"type": "web_search"}, {"type": "function", "name": "web_search", "parameters": {}, "strict": False}]
    answer = await gateway.client.responses.with_raw_response.create(model=MODEL, input="x?", tools=tools)
    assert answer.headers["x-claudegw-ignored"] == "tools.web_search"
    [tool] = gateway.upstream()[0].body["tools"]
    assert "type" not in tool
    demanded: Any = {"type": "web_search"}
    with pytest.raises(openai.BadRequestError, match="rename it"):
        await gateway.client.responses.create(model=MODEL, input="x?", tools=tools, tool_choice=demanded)


async def test_openai_describes_what_a_search_answers(gateway: Running) -> None:
    events_of, response_of = validator("ResponseStreamEvent"), validator("Response")
    body = {"model": MODEL, "input": "x?", "tools": [{"type": "web_search"}], "stream": True}
    text = (await gateway.post(body, "/v1/responses")).text
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert "response.web_search_call.searching" in {event["type"] for event in events}
    for event in events:
        events_of.validate(event)
    response_of.validate(events[-1]["response"])


async def test_each_use_is_in_the_usage(gateway: Running) -> None:
    await gateway.ask("x?", web_search_options={})
    gateway.endpoint.script = lambda request: ScriptedReply((said("No search"),))
    await gateway.ask("x?")

    async def counted() -> bool:
        total = (await gateway.control("GET", "/v1/usage")).json()["total"]
        return (total["requests"], total["web_search_requests"], total["web_fetch_requests"]) == (2, 1, 0)

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
