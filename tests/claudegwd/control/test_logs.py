from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from claudegwd.control.controllable import Controls
from claudegwd.control.logs import read
from claudegwd.control.request import ControlRequest, ControlStream
from claudegwd.logs import LogEntry
from tests.small_gateway import SmallGateway


def said(gateway: SmallGateway, *texts: str, level: str = "info") -> None:
    for text in texts:
        gateway.logs.append(LogEntry(0.0, level, "claudegwd", text, {"request_id": "r1"}))


async def test_the_last_lines(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    said(gateway, "one", "two", "three")
    answer = await client.get("/v1/logs", params={"lines": 2})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == [
        {"time": "1970-01-01T00:00:00.000Z", "level": "info", "message": text, "request_id": "r1"}
        for text in ("two", "three")
    ]


async def test_only_of_the_level(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    said(gateway, "quiet")
    said(gateway, "bad", level="error")
    answer = await client.get("/v1/logs", params={"level": "warning"})
    assert [json.loads(line)["message"] for line in answer.text.splitlines()] == ["bad"]


@pytest.mark.parametrize("query", ["lines=x", "lines=100000", "level=loud", "follow=maybe"])
async def test_wrong_questions(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/v1/logs?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")


async def test_following(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    said(gateway, "before")
    async with client.stream("GET", "/v1/logs", params={"follow": 1, "lines": 1}) as answer:
        lines = answer.aiter_lines()
        assert json.loads(await anext(lines))["message"] == "before"
        said(gateway, "after")
        assert json.loads(await anext(lines))["message"] == "after"


async def test_a_record_logged_while_the_last_ones_are_sent_comes_once(gateway: SmallGateway) -> None:
    said(gateway, "one", "two")
    answer = await read(Controls(gateway, gateway), ControlRequest(query={"follow": "1", "lines": "5"}))
    assert isinstance(answer, ControlStream)
    source: AsyncIterator[bytes] = answer.source
    seen = [await anext(source)]
    said(gateway, "three")
    seen += [await anext(source), await anext(source)]
    gateway.logs.close()
    seen += [line async for line in source]
    assert [json.loads(line)["message"] for line in seen] == ["one", "two", "three"]


async def test_only_what_is_asked_for(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    for number, (key, request) in enumerate([("a", "r1"), ("b", "r1"), ("a", "r2")]):
        fields = {"key": key, "request_id": request, "client": "c"}
        gateway.logs.append(LogEntry(100.0 + number, "info", "claudegwd", f"{key}{request}", fields))

    async def texts(**query: str | int) -> list[str]:
        answer = await client.get("/v1/logs", params=query)
        return [json.loads(line)["message"] for line in answer.text.splitlines()]

    assert await texts(key="a") == ["ar1", "ar2"]
    assert await texts(key="a", lines=1) == ["ar2"], "the last of those, not those of the last"
    assert await texts(request="r1", key="b") == ["br1"]
    assert await texts(since=101, client="c") == ["br1", "ar2"]
    assert await texts(client="d") == []
    gateway.logs.append(LogEntry(200.0, "info", "claudegwd", "nobody's", {"key": None}))
    assert await texts(client="None") == await texts(key="None") == [], "a client may have this name"
