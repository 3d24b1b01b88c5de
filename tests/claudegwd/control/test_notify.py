from __future__ import annotations

import httpx

from tests.small_gateway import SmallGateway


async def test_what_came_of_it(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    refused = await client.post("/v1/notify/test")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_configured")
    assert "set notify.command or notify.url" in refused.json()["error"]["message"]
    assert await gateway.audit.rows(5) == []

    gateway.config_file.write_text('[notify]\ncommand = "/bin/false"\n')
    await client.post("/v1/reload")
    (row,) = (await client.post("/v1/notify/test")).json()["targets"]
    assert (row["target"], row["ok"], row["error"]) == ("command", False, "the command exited with status 1")
    assert [change["what"] for change in await gateway.audit.rows(1)] == ["notifications tested"]


async def test_it_takes_no_fields(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/notify/test", json={"to": "me"})).status_code == 400
