from __future__ import annotations

import httpx

from tests.small_gateway import SmallGateway


async def test_it_answers_what_changed(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    gateway.config_file.write_text('[server]\nbind = ["127.0.0.1:9"]\n[log]\nlevel = "debug"\n')
    answer = (await client.post("/v1/reload")).json()
    assert answer["generation"] == 2
    assert [(change["key"], change["needs_restart"]) for change in answer["changes"]] == [
        ("server.bind", True),
        ("log.level", False),
    ]


async def test_on_an_error_all_stays_and_it_says_why(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    gateway.config_file.write_text('[log]\nlevel = "loud"\n')
    answer = await client.post("/v1/reload")
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "invalid_configuration"
    assert error["message"].startswith(f"cannot use {gateway.config_file}: log.level must be ")
    assert gateway.generation == 1


async def test_broken_keys(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    gateway.keys_file.write_text('{"claude_api_keys": [')
    answer = await client.post("/v1/reload")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_keys")
    assert len(gateway.ring) == 3


async def test_nothing_but_a_reload_can_be_asked(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/reload", json={"force": True})).status_code == 400
