from __future__ import annotations

import httpx


async def test_each_process(client: httpx.AsyncClient) -> None:
    body = (await client.get("/v1/workers")).json()
    assert [(worker["pid"], worker["state"]) for worker in body["workers"]] == [(4243, "busy"), (4244, "spare")]
    assert body["max"] == 8
