from __future__ import annotations

import httpx


async def test_each_model_and_the_default(client: httpx.AsyncClient) -> None:
    body = (await client.get("/v1/models")).json()
    assert [model["id"] for model in body["models"]] == ["sonnet"]
    assert body["default"] == "sonnet"
