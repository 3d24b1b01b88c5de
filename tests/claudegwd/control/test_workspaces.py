from __future__ import annotations

from pathlib import Path

import httpx

from tests.small_gateway import SmallGateway


async def test_those_in_effect(gateway: SmallGateway, client: httpx.AsyncClient, tmp_path: Path) -> None:
    assert (await client.get("/v1/workspaces")).json() == {"workspaces": []}
    gateway.config_file.write_text(f'[workspaces.shop]\ndirectory = "{tmp_path}"\n')
    await client.post("/v1/reload")
    gateway.workspaces.missing = ("there is no network of its own",)
    [row] = (await client.get("/v1/workspaces")).json()["workspaces"]
    assert (row["name"], row["directory"], row["sandbox_effective"]) == ("shop", str(tmp_path), "partial")
