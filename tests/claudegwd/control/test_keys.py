from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.small_gateway import TOKENS, SmallGateway

NEW = {"name": "third", "token": "sk-false-third-0003", "base_url": "https://three.invalid", "kind": "api_key"}


def names(gateway: SmallGateway) -> list[str]:
    """As the file has them."""
    return [key["name"] for key in json.loads(gateway.keys_file.read_text())["claude_api_keys"]]


async def test_the_list_shows_no_token(client: httpx.AsyncClient, gateway: SmallGateway) -> None:
    answer = await client.get("/v1/keys")
    body = answer.json()
    assert [key["name"] for key in body["keys"]] == ["primary", "second", "off"]
    assert body["keys"][0]["last_four"] == "0001"
    assert (body["origin"], body["writable"]) == (str(gateway.keys_file), True)
    assert not any(token in answer.text for token in TOKENS)


async def test_adding(client: httpx.AsyncClient, gateway: SmallGateway) -> None:
    answer = await client.post("/v1/keys", json=NEW)
    assert answer.status_code == 201
    assert (answer.json()["name"], answer.json()["state"], answer.json()["kind"]) == ("third", "ready", "api_key")
    assert NEW["token"] not in answer.text
    assert names(gateway) == ["primary", "second", "off", "third"]
    assert gateway.keys_file.stat().st_mode & 0o777 == 0o600


async def test_a_note_names_the_key_once(client: httpx.AsyncClient) -> None:
    notes = (await client.post("/v1/keys", json={"name": "third", "token": "sk-ant-api-false-1"})).json()["notes"]
    assert notes == ["key 'third': its token is sent as x-api-key, judging by its prefix; set its kind to change that"]


async def test_replacing_has_to_be_said(client: httpx.AsyncClient, gateway: SmallGateway) -> None:
    key = {"name": "primary", "token": "sk-false-other-0009"}
    refused = await client.post("/v1/keys", json=key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid_keys")
    assert (await client.post("/v1/keys", json=key | {"replace": True})).json()["last_four"] == "0009"
    assert names(gateway) == ["primary", "second", "off"]


@pytest.mark.parametrize(
    "change",
    [{"token": ""}, {"token": "two words"}, {"token": None}, {"name": "-x"}, {"kind": "magic"}, {"base_url": "x"},
     {"status": "maybe"}, {"replace": "yes"}, {"extra": 1}],
)  # fmt: skip
async def test_what_cannot_be_added(client: httpx.AsyncClient, gateway: SmallGateway, change: dict[str, Any]) -> None:
    answer = await client.post("/v1/keys", json=NEW | change)
    assert answer.status_code in {400, 422}
    assert answer.json()["error"]["message"].startswith("cannot ")
    assert "sk-false" not in answer.text
    assert names(gateway) == ["primary", "second", "off"]


async def test_disabling_enabling_removing(client: httpx.AsyncClient, gateway: SmallGateway) -> None:
    assert (await client.patch("/v1/keys/second", json={"status": "disabled"})).json()["state"] == "disabled"
    assert (await client.patch("/v1/keys/off", json={"status": "active"})).json()["state"] == "ready"
    assert (await client.delete("/v1/keys/primary")).json() == {"removed": "primary"}
    assert names(gateway) == ["second", "off"]
    assert (await client.get("/v1/keys/off")).json()["state"] == "active"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/v1/keys/absent", {"status": "active"}),
        ("DELETE", "/v1/keys/absent", None),
        ("POST", "/v1/keys/absent/test", None),
    ],
)
async def test_keys_that_are_not_there(client: httpx.AsyncClient, method: str, path: str, body: object) -> None:
    answer = await client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_a_status_that_does_not_exist(client: httpx.AsyncClient) -> None:
    assert (await client.patch("/v1/keys/second", json={"status": "asleep"})).status_code == 400


async def test_names_with_spaces_and_umlauts(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/keys", json=NEW | {"name": "größerer Schlüssel"})).status_code == 201
    path = "/v1/keys/gr%C3%B6%C3%9Ferer%20Schl%C3%BCssel"
    assert (await client.get(path)).json()["name"] == "größerer Schlüssel"
    assert (await client.delete(path)).status_code == 200


async def test_bringing_in_several(client: httpx.AsyncClient, gateway: SmallGateway) -> None:
    keys = [NEW, {"name": "primary", "token": "sk-false-other-0009"}]
    assert (await client.post("/v1/keys/import", json={"keys": keys})).json() == {
        "added": ["third"],
        "skipped": ["primary"],
        "notes": [],
    }
    assert names(gateway) == ["primary", "second", "off", "third"]
    assert (await client.post("/v1/keys/import", json={"keys": {}})).status_code == 400
    assert (await client.post("/v1/keys/import", json={"keys": [5]})).status_code == 422


async def test_testing_one(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/keys/second/test")).json()["ok"] is True
    answer = (await client.post("/v1/keys/primary/test")).json()
    assert (answer["ok"], answer["error"]) == (False, "authentication (401)")


async def test_renaming(client: httpx.AsyncClient, gateway: SmallGateway) -> None:
    answer = await client.patch("/v1/keys/second", json={"name": "home"})
    assert (answer.status_code, answer.json()["name"]) == (200, "home")
    assert names(gateway) == ["primary", "home", "off"]
    refused = await client.patch("/v1/keys/home", json={"name": "primary"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid_keys")
    for body in ({"name": ""}, {"name": 1}, {"name": "x", "status": "active"}):
        assert (await client.patch("/v1/keys/home", json=body)).status_code == 400
    assert (await client.patch("/v1/keys/home", json={"name": "-x"})).status_code == 422
    assert names(gateway) == ["primary", "home", "off"]


async def test_keys_that_come_from_elsewhere(client: httpx.AsyncClient, gateway: SmallGateway) -> None:
    gateway.keys_source = type(gateway.keys_source)(gateway.keys_source.keys, "CLAUDE_API_KEYS", writable=False)
    answer = await client.post("/v1/keys", json=NEW)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "read_only")
    assert "they come from CLAUDE_API_KEYS" in answer.json()["error"]["message"]


async def test_no_token_is_ever_logged(client: httpx.AsyncClient, gateway: SmallGateway) -> None:
    await client.post("/v1/keys", json=NEW)
    await client.post("/v1/keys", json=NEW)
    await client.post("/v1/keys/import", json={"keys": [NEW]})
    await client.delete("/v1/keys/third")
    entries = gateway.logs.tail(100)
    assert {entry.text for entry in entries} == {"key added", "keys imported", "key removed"}
    assert not any(NEW["token"] in repr(entry) for entry in entries)


async def test_without_other_machines_all_is_refused(client: httpx.AsyncClient, gateway: SmallGateway) -> None:
    answer = await client.patch("/v1/keys/second", json={"status": "disabled", "all": True})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_shared")
    assert (await client.patch("/v1/keys/second", json={"status": "disabled", "all": 1})).status_code == 400
    assert "disabled" not in (await client.get("/v1/keys/second")).json()["state"]


async def test_one_that_is_withheld_cannot_be_enabled_here(client: httpx.AsyncClient, gateway: SmallGateway) -> None:
    [digest] = [row.digest for row in gateway.ring.remembered() if row.name == "second"]
    gateway.ring.withhold([digest], 1.0)
    answer = await client.patch("/v1/keys/second", json={"status": "active"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "withheld")
    await client.patch("/v1/keys/second", json={"name": "my key"})
    answer = await client.patch("/v1/keys/my%20key", json={"status": "active"})
    assert "`claudegwctl keys enable 'my key' --all`" in answer.json()["error"]["message"]
