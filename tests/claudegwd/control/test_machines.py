from __future__ import annotations

import httpx
import pytest

from claudegwd.shared.connection import StoreAwayError
from tests.small_gateway import SmallGateway


async def test_the_machines(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    gateway.others = [{"machine": "one", "state": "ready"}]
    assert (await client.get("/v1/machines")).json() == {"machines": gateway.others}


@pytest.mark.parametrize(
    ("others", "status", "code"), [(None, 409, "not_shared"), (StoreAwayError(), 503, "store_away")]
)
async def test_refusals(
    gateway: SmallGateway, client: httpx.AsyncClient, others: Exception | None, status: int, code: str
) -> None:
    gateway.others = others
    answer = await client.get("/v1/machines")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
