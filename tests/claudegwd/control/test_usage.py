from __future__ import annotations

import time

import httpx
import pytest

from claudegwd.ledger.entry import Line, Sums, minute_of
from tests.small_gateway import SmallGateway


@pytest.fixture(autouse=True)
def used(gateway: SmallGateway) -> None:
    for client, tokens in (("laptop", 100), ("phone", 7)):
        line = Line(minute_of(time.time()), client, "primary", "sonnet", "sonnet-5", "/v1/messages", "warm", 200)
        gateway.ledger.note(line, Sums(1, tokens))


async def test_by_client_and_of_one_client(client: httpx.AsyncClient) -> None:
    body = (await client.get("/v1/usage")).json()
    assert [(row["client"], row["prompt_tokens"]) for row in body["rows"]] == [("laptop", 100), ("phone", 7)]
    assert body["total"]["prompt_tokens"] == 107
    own = (await client.get("/v1/usage?client=phone&by=key,model&since=1h")).json()
    assert [(row["key"], row["model"], row["requests"]) for row in own["rows"]] == [("primary", "sonnet", 1)]


@pytest.mark.parametrize("query", ["since=yesterday", "by=colour"])
async def test_what_cannot_be_understood_is_refused(client: httpx.AsyncClient, query: str) -> None:
    refused = await client.get(f"/v1/usage?{query}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")
    assert "use" in refused.json()["error"]["message"]


async def test_by_what_answered_on_which_route_and_how(client: httpx.AsyncClient) -> None:
    (row,) = (await client.get("/v1/usage?by=answered,route,how")).json()["rows"]
    assert (row["answered"], row["route"], row["how"], row["requests"]) == ("sonnet-5", "/v1/messages", "warm", 2)


async def test_a_client_that_there_is_not_is_no_client_that_used_nothing(
    gateway: SmallGateway, client: httpx.AsyncClient
) -> None:
    await client.post("/v1/clients", json={"name": "desk-1"})
    assert (await client.get("/v1/usage?client=desk-1")).json()["rows"] == []
    refused = await client.get("/v1/usage?client=desk-2")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
    assert refused.json()["error"]["message"].startswith("cannot find client 'desk-2': did you mean 'desk-1'?")
    removed = await client.get("/v1/usage?client=laptop&since=2100-01-01")  # nobody any more, but the ledger knows it
    assert (removed.status_code, removed.json()["rows"]) == (200, [])


async def test_what_was_lost_is_said(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    assert "lost" not in (await client.get("/v1/usage")).json()
    gateway.ledger.lost = 3
    assert (await client.get("/v1/usage")).json()["lost"] == 3


async def test_without_other_machines_all_is_refused(client: httpx.AsyncClient) -> None:
    refused = await client.get("/v1/usage?all=1")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_shared")
