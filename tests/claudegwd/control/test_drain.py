from __future__ import annotations

import httpx
import pytest

from tests.small_gateway import SmallGateway


async def test_draining_and_back(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    drained = (await client.post("/v1/drain")).json()
    assert drained == {"drained_since": gateway.life.drained_since, "changed": True, "requests": 1}
    assert (await client.get("/v1/status")).json()["state"] == "draining"
    assert (await client.post("/v1/drain")).json()["changed"] is False
    back = (await client.post("/v1/undrain")).json()
    assert (back["drained_since"], back["changed"]) == (None, True)
    assert (await client.post("/v1/undrain")).json()["changed"] is False
    assert (await client.get("/v1/status")).json()["state"] == "ready"


async def test_only_a_change_is_remembered(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    for path in ("/v1/undrain", "/v1/drain", "/v1/drain", "/v1/undrain"):
        await client.post(path)
    told = [entry.text for entry in gateway.logs.tail(10) if "drain" in entry.text]
    assert told == ["drained by the operator", "undrained by the operator"]


@pytest.mark.parametrize("path", ["/v1/drain", "/v1/undrain"])
async def test_no_fields_are_known(gateway: SmallGateway, client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path, json={"wait": 5})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert gateway.life.drained_since is None
