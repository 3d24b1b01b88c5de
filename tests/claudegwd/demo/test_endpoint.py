"""The endpoint over a real socket: what goes out, what is remembered, what happens when a side goes away."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import trio

from claudegwd.demo.endpoint import REQUESTS_KEPT, ScriptedEndpoint
from claudegwd.demo.replies import by_key, obey, say, sequence
from claudegwd.demo.script import Drop, Fail, Garbage, ScriptedReply, Text, Wait, limited, revoked
from tests.arrivals import arrived
from tests.claudegwd.demo.reading import events, http_request, joined_text
from tests.plain_http import http_client

URL = "/v1/messages?beta=true"


@pytest.fixture
async def endpoint(nursery: trio.Nursery) -> ScriptedEndpoint:
    endpoint = ScriptedEndpoint(sequence(say("Hello", " there")))
    await nursery.start(endpoint.serve)
    return endpoint


@pytest.fixture
async def client(endpoint: ScriptedEndpoint) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(endpoint.base_url, headers={"authorization": "Bearer sk-false-1"}) as client:
        yield client


def question(**more: Any) -> dict[str, Any]:
    return {"model": "m-1", "stream": True, "messages": [{"role": "user", "content": "hi"}], **more}


async def test_streams_one_delta_for_each_part(endpoint: ScriptedEndpoint, client: httpx.AsyncClient) -> None:
    response = await client.post(URL, json=question())
    assert response.headers["content-type"].startswith("text/event-stream")
    seen = events(response.content)
    assert [name for name, _ in seen][:2] == ["message_start", "content_block_start"]
    assert [d["delta"]["text"] for n, d in seen if n == "content_block_delta"] == ["Hello", " there"]
    assert seen[0][1]["message"]["model"] == "m-1"
    assert seen[-2][1]["delta"]["stop_reason"] == "end_turn"
    assert seen[-1][0] == "message_stop"


async def test_remembers_the_request(endpoint: ScriptedEndpoint, client: httpx.AsyncClient) -> None:
    await client.post(URL, json=question(), headers={"X-Odd": "Yes"})
    request = await arrived(endpoint, 1)
    assert (request.method, request.path, request.key) == ("POST", URL, "sk-false-1")
    assert request.headers["x-odd"] == "Yes"
    assert request.body == question()
    assert not request.disconnected.is_set()


async def test_takes_the_key_from_either_header(endpoint: ScriptedEndpoint) -> None:
    endpoint.script = by_key({"sk-false-2": say("two")})
    async with http_client(endpoint.base_url) as client:
        good = await client.post(URL, json=question(), headers={"x-api-key": "sk-false-2"})
        bad = await client.post(URL, json=question(), headers={"x-api-key": "sk-false-3"})
        none = await client.post(URL, json=question())
    assert joined_text(good.content) == "two"
    assert (bad.status_code, none.status_code) == (401, 401)


async def test_keeps_one_connection_alive(endpoint: ScriptedEndpoint, client: httpx.AsyncClient) -> None:
    for _ in range(5):
        await client.post(URL, json=question())
    assert endpoint.connections == 1
    assert endpoint.count == 5


async def test_keeps_a_bounded_number_of_requests(endpoint: ScriptedEndpoint, client: httpx.AsyncClient) -> None:
    endpoint.script = sequence(Fail(400, "invalid_request_error", "no"))
    for _ in range(REQUESTS_KEPT + 3):
        await client.post(URL, json=question())
    assert len(endpoint.requests) == REQUESTS_KEPT
    assert endpoint.count == REQUESTS_KEPT + 3
    assert await arrived(endpoint, REQUESTS_KEPT + 3) is endpoint.requests[-1]


async def test_answers_a_failure_with_its_headers(endpoint: ScriptedEndpoint, client: httpx.AsyncClient) -> None:
    endpoint.script = sequence(limited(retry_after=7, reset_at=1_900_000_000), revoked())
    first = await client.post(URL, json=question())
    assert first.status_code == 429
    assert first.headers["retry-after"] == "7"
    assert first.headers["anthropic-ratelimit-unified-reset"] == "1900000000"
    assert first.json()["error"]["type"] == "rate_limit_error"
    assert (await client.post(URL, json=question())).json()["error"]["type"] == "authentication_error"


async def test_answers_whole_when_no_stream_is_asked_for(client: httpx.AsyncClient) -> None:
    body = (await client.post(URL, json=question(stream=False))).json()
    assert body["content"] == [{"type": "text", "text": "Hello there"}]
    assert body["stop_reason"] == "end_turn"


async def test_obeys_the_limits_of_the_request(endpoint: ScriptedEndpoint, client: httpx.AsyncClient) -> None:
    endpoint.script = lambda request: obey(request, "one two three")
    cut = events((await client.post(URL, json=question(max_tokens=1))).content)
    assert cut[-2][1]["delta"]["stop_reason"] == "max_tokens"
    stopped = events((await client.post(URL, json=question(stop_sequences=["three", "two"]))).content)
    assert stopped[-2][1]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "two"}


async def test_other_paths(endpoint: ScriptedEndpoint, client: httpx.AsyncClient) -> None:
    assert (await client.head("/")).status_code == 200
    assert (await client.get("/nothing")).status_code == 404
    assert (await client.head("/nothing")).status_code == 404
    counted = await client.post("/v1/messages/count_tokens", json=question())
    assert counted.json()["input_tokens"] > 0
    assert list(endpoint.strays) == ["HEAD /", "GET /nothing", "HEAD /nothing", "POST /v1/messages/count_tokens"]
    assert endpoint.count == 0


async def test_survives_a_body_that_is_no_object(client: httpx.AsyncClient, endpoint: ScriptedEndpoint) -> None:
    for body in (b"", b"[]", b"{", b"\xff", b"[" * 100_000):
        assert (await client.post(URL, content=body)).status_code == 200
    assert [r.body for r in endpoint.requests] == [{}] * 5


async def test_drops_the_connection_in_mid_stream(endpoint: ScriptedEndpoint, client: httpx.AsyncClient) -> None:
    endpoint.script = sequence(ScriptedReply((Text(("half",)), Drop())))
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post(URL, json=question())
    assert not (await arrived(endpoint, 1)).disconnected.is_set()


async def test_drops_the_connection_before_the_status(endpoint: ScriptedEndpoint, client: httpx.AsyncClient) -> None:
    endpoint.script = sequence(ScriptedReply(before=(Drop(),)))
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post(URL, json=question())


async def test_sends_garbage_as_told(endpoint: ScriptedEndpoint, client: httpx.AsyncClient) -> None:
    endpoint.script = sequence(ScriptedReply((Garbage(b"event: nonsense\n\n\x00"),), envelope=False))
    assert (await client.post(URL, json=question())).content == b"event: nonsense\n\n\x00"


async def test_waits_for_a_signal_and_notices_a_hang_up(endpoint: ScriptedEndpoint) -> None:
    endpoint.script = sequence(ScriptedReply((Text(("half",)), Wait(trio.Event()))))
    stream = await trio.open_tcp_stream("127.0.0.1", endpoint.port)
    await stream.send_all(http_request(URL, json.dumps(question()).encode()))
    seen = b""
    while b"half" not in seen:
        seen += await stream.receive_some()
    request = await arrived(endpoint, 1)
    assert not request.disconnected.is_set()
    await stream.aclose()
    with trio.fail_after(5):
        await request.disconnected.wait()


async def test_a_signal_lets_the_answer_go_on(endpoint: ScriptedEndpoint, nursery: trio.Nursery) -> None:
    go = trio.Event()
    endpoint.script = sequence(ScriptedReply((Text(("done",)),), before=(Wait(go),)))

    async def release() -> None:
        await arrived(endpoint, 1)
        go.set()

    nursery.start_soon(release)
    async with http_client(endpoint.base_url) as client:
        assert joined_text((await client.post(URL, json=question())).content) == "done"


async def test_a_client_that_resets_leaves_nothing(endpoint: ScriptedEndpoint) -> None:
    for cut in (10, 60, 200):
        stream = await trio.open_tcp_stream("127.0.0.1", endpoint.port)
        await stream.send_all(http_request(URL, json.dumps(question()).encode())[:cut])
        await stream.aclose()
    with trio.fail_after(5):
        while endpoint.connections:
            await trio.lowlevel.checkpoint()
