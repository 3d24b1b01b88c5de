from __future__ import annotations

from typing import Any

import httpx
import pytest

from claudegwd.limits.meter import Limits
from claudegwd.store.client_keys import ClientKeys
from claudegwd.store.database import Database
from tests.small_gateway import SmallGateway


async def test_create_list_revoke(client: httpx.AsyncClient, gateway: SmallGateway) -> None:
    answer = await client.post("/v1/clients", json={"name": "laptop", "models": ["sonnet"], "requests_per_minute": 5})
    assert (answer.status_code, answer.json()) == (201, {"name": "laptop", "key": "cgw-false-key-of-laptop"})
    listed = await client.get("/v1/clients")
    (row,) = listed.json()["clients"]
    assert (row["name"], row["models"], row["requests_per_minute"]) == ("laptop", ["sonnet"], 5)
    assert "cgw-" not in listed.text
    assert (await client.delete("/v1/clients/laptop")).json() == {"revoked": "laptop"}
    assert (await client.get("/v1/clients")).json()["clients"][0]["state"] == "revoked"
    entries = gateway.logs.tail(10)
    assert [(entry.text, entry.fields["client"]) for entry in entries] == [
        ("client created", "laptop"),
        ("client revoked", "laptop"),
    ]
    assert "cgw-" not in repr(entries)


async def test_a_name_twice(client: httpx.AsyncClient) -> None:
    await client.post("/v1/clients", json={"name": "laptop"})
    answer = await client.post("/v1/clients", json={"name": "laptop"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


async def test_nobody_to_revoke(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/v1/clients/laptop")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "body",
    [{}, {"name": 5}, {"name": "x", "models": "sonnet"}, {"name": "x", "requests_per_minute": -1},
     {"name": "x", "tokens_per_minute": 10**11}, {"name": "x", "expires": 5}, {"name": "x", "extra": 1},
     {"name": "x", "expires": 1_900_000_000_000},
     {"name": "a/b"}, {"name": ""}, {"name": "-x"}, {"name": "x" * 65}, {"name": "x", "models": ["nosuch"]},
     {"name": "x", "server_tools": ["bash"]},
     {"name": "x", "budget": "20eur/month"}, {"name": "x", "budget": "0usd/day"}],
)  # fmt: skip
async def test_what_cannot_be_made(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = await client.post("/v1/clients", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    message = answer.json()["error"]["message"]
    assert (message.startswith("cannot "), message.count("cannot ")) == (True, 1)


async def test_a_name_is_used_again_once_it_was_removed(client: httpx.AsyncClient) -> None:
    await client.post("/v1/clients", json={"name": "laptop"})
    await client.delete("/v1/clients/laptop")
    assert (await client.post("/v1/clients", json={"name": "laptop"})).status_code == 409
    assert (await client.delete("/v1/clients/laptop?forget=1")).json() == {"removed": "laptop"}
    assert (await client.post("/v1/clients", json={"name": "laptop"})).status_code == 201


async def test_changing_and_rotating(client: httpx.AsyncClient, gateway: SmallGateway) -> None:
    await client.post("/v1/clients", json={"name": "laptop", "tokens_per_minute": 7})
    changes = {"models": ["sonnet"], "server_tools": ["web_search"], "requests_per_minute": 5, "budget": "2usd/day"}
    assert (await client.patch("/v1/clients/laptop", json=changes)).json() == {"changed": "laptop"}
    (row,) = (await client.get("/v1/clients")).json()["clients"]
    assert (list(row["models"]), row["requests_per_minute"], row["tokens_per_minute"]) == (["sonnet"], 5, 7)
    assert row["budgets"] == ["2usd/day"]
    assert list(row["server_tools"]) == ["web_search"]
    await client.patch("/v1/clients/laptop", json={"models": [], "server_tools": []})
    assert gateway.logs.tail(1)[0].fields["after"] == "models=all, server_tools=none"
    answer = await client.post("/v1/clients/laptop/rotate")
    assert answer.json()["key"].startswith("cgw-")
    assert "cgw-" not in repr(gateway.logs.tail(10))


async def test_what_is_audited_of_a_change(client: httpx.AsyncClient, gateway: SmallGateway) -> None:
    def changes() -> list[tuple[object, object]]:
        return [(entry.fields.get("before"), entry.fields.get("after")) for entry in gateway.logs.tail(10)]

    await client.post("/v1/clients", json={"name": "laptop", "requests_per_minute": 0, "budget": "5000000tokens/day"})
    body = {"requests_per_minute": 7, "expires": 1_900_000_000, "budget": "5Mtokens/day,1usd/week"}
    await client.patch("/v1/clients/laptop", json=body)
    await client.patch("/v1/clients/laptop", json={"requests_per_minute": 100, "expires": None})
    await client.delete("/v1/clients/laptop?forget=1")
    assert changes() == [
        (None, "requests_per_minute=0, budgets=5Mtokens/day"),
        (
            "requests_per_minute=0, expires=never, budgets=5Mtokens/day",
            "requests_per_minute=7, expires=2030-03-17 17:46 UTC, budgets=5Mtokens/day+1usd/week",
        ),
        ("requests_per_minute=7, expires=2030-03-17 17:46 UTC", "requests_per_minute=100, expires=never"),
        # What it had of its own: 100 requests per minute are the default.
        ("budgets=5Mtokens/day+1usd/week", None),
    ]


@pytest.mark.parametrize(
    "body", [{"models": ["sonet"]}, {"requests_per_minute": -1}, {"expires": 5}, {"name": "y"}, {"budget": "20"}]
)
async def test_what_cannot_be_changed(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    await client.post("/v1/clients", json={"name": "laptop"})
    answer = await client.patch("/v1/clients/laptop", json=body)
    assert (answer.status_code, answer.json()["error"]["message"].count("cannot ")) == (400, 1)


async def test_a_daemon_without_client_keys(client: httpx.AsyncClient, gateway: SmallGateway) -> None:
    gateway.clients = None
    answer = await client.get("/v1/clients")
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "not_available")


@pytest.mark.parametrize(("query", "what"), [("", "client revoked"), ("?forget=1", "client removed")])
async def test_an_end_that_cannot_be_written_is_in_effect_and_audited(
    client: httpx.AsyncClient, gateway: SmallGateway, query: str, what: str
) -> None:
    database = Database(None)
    gateway.clients = keys = await ClientKeys.load(database, Limits())
    await keys.create("laptop")
    await database.run(lambda connection: connection.execute("DROP TABLE clients").rowcount)
    answer = await client.delete(f"/v1/clients/laptop{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_state")
    assert [row["state"] for row in await keys.rows()] == (["revoked"] if not query else [])
    (change,) = (await client.get("/v1/audit?lines=1")).json()["changes"]
    assert (change["what"], change["fields"]["client"]) == (what, "laptop")
