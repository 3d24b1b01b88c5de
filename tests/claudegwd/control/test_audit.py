from __future__ import annotations

import os

import httpx

from tests.small_gateway import SmallGateway


async def test_who_changed_what_from_what_to_what(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    await client.patch("/v1/keys/second", json={"status": "disabled"})
    await client.patch("/v1/keys/nobody", json={"status": "disabled"})
    await client.post("/v1/clients", json={"name": "laptop"})
    await client.patch("/v1/clients/laptop", json={"requests_per_minute": 5, "budget": "2usd/day"})
    changes = (await client.get("/v1/audit")).json()["changes"]
    assert all((change["uid"], change["pid"]) == (os.getuid(), os.getpid()) for change in changes)
    assert [(change["what"], change["fields"]) for change in changes] == [
        ("key status changed", {"key": "second", "before": "ready", "after": "disabled"}),
        ("client created", {"client": "laptop", "after": "no limits of its own"}),
        (
            "client changed",
            {
                "client": "laptop",
                "before": "requests_per_minute=none, budgets=none",
                "after": "requests_per_minute=5, budgets=2usd/day",
            },
        ),
    ]
    assert [change["what"] for change in (await client.get("/v1/audit?lines=1")).json()["changes"]] == [
        "client changed"
    ]
    assert (await client.get("/v1/audit?lines=many")).status_code == 400
