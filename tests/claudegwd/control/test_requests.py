from __future__ import annotations

import httpx

from tests.small_gateway import SmallGateway


async def test_each_request(client: httpx.AsyncClient, gateway: SmallGateway) -> None:
    assert (await client.get("/v1/requests")).json() == {"requests": gateway.requests()}
