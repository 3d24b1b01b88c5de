from __future__ import annotations

import time

import httpx
import pytest

from claudegwd.ledger.entry import Line, Sums, minute_of
from tests.small_gateway import SmallGateway


@pytest.fixture(autouse=True)
def used(gateway: SmallGateway) -> None:
    for client, tokens in (("laptop", 100), ("phone", 7)):
        line = Line(minute_of(time.time()), client, "primary", "sonnet", "sonnet", "/v1/messages", "warm", 200)
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
    assert "write" in refused.json()["error"]["message"]
