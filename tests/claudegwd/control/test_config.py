from __future__ import annotations

import httpx

from tests.small_gateway import SmallGateway


async def test_every_key_and_what_waits_for_a_restart(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    gateway.config_file.write_text('[server]\nbind = ["127.0.0.1:9"]\n[workers]\nmax = 3\n')
    await client.post("/v1/reload")
    body = (await client.get("/v1/config")).json()
    settings = {row["key"]: row for row in body["settings"]}
    assert settings["workers.max"]["value"] == 3
    assert settings["server.bind"]["value"] == ["127.0.0.1:8000"]
    assert [change["key"] for change in body["waiting_for_restart"]] == ["server.bind"]
    assert (body["path"], body["exists"], body["generation"]) == (str(gateway.config_file), True, 2)


async def test_checking_changes_nothing(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    gateway.config_file.write_text("[workers]\nmax = 3\n")
    body = (await client.post("/v1/config/check")).json()
    assert [(change["key"], change["new"]) for change in body["changes"]] == [("workers.max", 3)]
    assert (gateway.generation, gateway.config.workers.max) == (1, 8)


async def test_checking_a_broken_file(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    gateway.config_file.write_text("[worker]\n")
    answer = await client.post("/v1/config/check")
    assert answer.status_code == 422
    assert "did you mean [workers]?" in answer.json()["error"]["message"]
