from __future__ import annotations

import httpx
import pytest


async def test_the_next_one_and_a_named_one(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/rotate")).json() == {"from": "primary", "to": "second"}
    assert (await client.post("/v1/rotate", json={"to": None})).json() == {"from": "second", "to": "primary"}
    assert (await client.post("/v1/rotate", json={"to": "second"})).json() == {"from": "primary", "to": "second"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"to": "absent"}, 404, "not_found"),
        ({"to": "off"}, 409, "cannot_rotate"),
        ({"to": 5}, 400, "invalid_request"),
        ({"name": "second"}, 400, "invalid_request"),
    ],
)
async def test_refusals(client: httpx.AsyncClient, body: object, status: int, code: str) -> None:
    answer = await client.post("/v1/rotate", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert (await client.get("/v1/keys/primary")).json()["state"] == "active"


async def test_without_other_machines_all_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/rotate", json={"to": "second", "all": True})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_shared")
    assert (await client.post("/v1/rotate", json={"to": None, "all": "yes"})).status_code == 400
    assert (await client.post("/v1/rotate", json={"to": "second"})).json()["from"] == "primary"  # as it was
