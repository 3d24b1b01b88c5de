from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from claudegwd.keys.file import KeysEdit, remove_key
from tests.small_gateway import SmallGateway, client_of, running, short_directory

DISABLED = {"status": "disabled"}


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
                "before": "requests_per_minute=default, budgets=none",
                "after": "requests_per_minute=5, budgets=2usd/day",
            },
        ),
    ]
    assert [change["what"] for change in (await client.get("/v1/audit?lines=1")).json()["changes"]] == [
        "client changed"
    ]
    assert (await client.get("/v1/audit?lines=many")).status_code == 400


async def test_what_was_changed_of_keys_by_name_and_state_only(
    gateway: SmallGateway, client: httpx.AsyncClient
) -> None:
    new = {"name": "third", "token": "sk-false-good-third-0004", "kind": "api_key"}
    await client.post("/v1/keys", json=new)
    await client.post(
        "/v1/keys", json=new | {"token": "sk-false-other-0009", "base_url": "https://o.invalid", "replace": True}
    )
    # Its own name: nothing changes.
    await client.patch("/v1/keys/third", json={"name": "third"})
    await client.patch("/v1/keys/third", json={"name": "fourth"})
    await client.post("/v1/keys/second/test")
    await client.post("/v1/keys/import", json={"keys": [new | {"name": "fifth"}, new | {"name": "fourth"}]})
    await client.delete("/v1/keys/fourth")
    plain, other = "kind=api_key, base_url=none, state=ready", "kind=api_key, base_url=https://o.invalid, state=ready"
    answer = await client.get("/v1/audit")
    assert [(change["what"], change["fields"]) for change in answer.json()["changes"]] == [
        ("key added", {"key": "third", "after": plain}),
        ("key replaced", {"key": "third", "before": plain, "after": other}),
        ("key renamed", {"key": "fourth", "before": "third", "after": "fourth"}),
        ("key tested", {"key": "second", "before": "ready", "after": "ready"}),
        ("keys imported", {"count": 1, "after": "fifth"}),
        ("key removed", {"key": "fourth", "before": other}),
    ]
    assert "sk-false" not in answer.text


async def test_what_a_reload_changed(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    secret = "https://hooks.invalid/not-for-the-audit"
    gateway.config_file.write_text(
        f'[log]\nlevel = "debug"\n[claude]\nmodels = {json.dumps(["model"] * 40)}\n[notify]\nurl = "{secret}"\n'
    )
    keys = [{"name": "second", "token": "sk-false-other-0009"}, {"name": "new", "token": "sk-false-new-0010"}]
    gateway.keys_file.write_text(json.dumps({"claude_api_keys": keys}))
    assert (await client.post("/v1/reload")).status_code == 200
    assert (await client.post("/v1/reload")).status_code == 200
    gateway.config_file.write_text("[nonsense]\n")
    assert (await client.post("/v1/reload")).status_code == 422
    answer = await client.get("/v1/audit")
    first, second, third = answer.json()["changes"]
    assert first["what"] == "configuration reloaded"
    assert first["fields"]["keys"] == "added new; removed primary, off; changed second"
    assert first["fields"]["generation"] == 2
    assert first["fields"]["before"] == "claude.models=[], notify.url=, log.level=info"
    after = first["fields"]["after"]
    assert after.startswith('claude.models=["model","mod')
    assert after.endswith("…, notify.url=https://hooks.invalid/…, log.level=debug")
    assert (second["what"], second["fields"]) == ("configuration reloaded", {"generation": 3})
    assert (third["what"], third["fields"]) == ("reload rejected", {})
    assert "sk-false" not in answer.text
    assert "not-for-the-audit" not in answer.text


async def test_what_a_client_was_before_it_went(gateway: SmallGateway, client: httpx.AsyncClient) -> None:
    await client.post("/v1/clients", json={"name": "laptop", "requests_per_minute": 5, "budget": "2usd/day"})
    await client.delete("/v1/clients/laptop")
    await client.delete("/v1/clients/laptop?forget=1")
    changes = (await client.get("/v1/audit")).json()["changes"]
    assert [(change["what"], change["fields"]) for change in changes][1:] == [
        ("client revoked", {"client": "laptop", "before": "active", "after": "revoked"}),
        ("client removed", {"client": "laptop", "before": "requests_per_minute=5, budgets=2usd/day"}),
    ]


class Busy(SmallGateway):
    """Somebody else removes each key as soon as it was changed."""

    async def edit_keys(self, edit: Callable[[Path], KeysEdit]) -> KeysEdit:
        done = await super().edit_keys(edit)
        await super().edit_keys(partial(remove_key, name="second"))
        return done


@pytest.mark.parametrize("replace", [True, False])
async def test_a_key_that_is_removed_at_once_was_changed_nevertheless(replace: bool) -> None:
    with short_directory() as directory:
        async with running(Busy(directory)) as path, client_of(path) as client:
            body = {"name": "second", "token": "sk-false-new-0001", "replace": True}
            sent = client.post("/v1/keys", json=body) if replace else client.patch("/v1/keys/second", json=DISABLED)
            assert (await sent).status_code == 404
            (change,) = (await client.get("/v1/audit")).json()["changes"]
    assert change["what"] == ("key replaced" if replace else "key status changed")
    assert (change["fields"]["key"], change["fields"]["after"]) == ("second", "removed meanwhile")
