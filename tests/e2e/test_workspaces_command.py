"""`claudegwctl workspaces` against the real daemon: what is added can be used at once, what is removed is gone."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

from tests.control_cli import ctl
from tests.e2e.harness import running
from tests.e2e.workspace_scripts import results, spoken, works

pytestmark = pytest.mark.cli


async def test_a_workspace_comes_is_used_and_goes(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "a.py").write_text("answer = 41\n")
    async with running(works([("Read", {"file_path": str(repo / "a.py")})])) as gateway:
        socket = gateway.daemon.socket
        assert (await gateway.refused("Read it.", model="sonnet@shop")).status_code == 404
        added = await ctl(socket, "workspaces", "add", "shop", str(repo), "--anonymous")
        assert (added.status, added.err) == (0, "")
        assert "models: sonnet@shop" in added.out
        assert "sonnet@shop" in [model.id async for model in gateway.client.models.list()]
        listed = (await ctl(socket, "models", "--json")).json["models"]
        assert [(row["id"], row["cli_name"]) for row in listed if "@" in row["id"]] == [("sonnet@shop", "sonnet")]
        key = (await ctl(socket, "clients", "create", "webui", "--models", "sonnet@shop", "--json")).json["key"]
        told = await ctl(socket, "chat", "-m", "sonnet@shop", "Read it.", GATEWAY_KEY=key)
        assert told.err.startswith("cannot chat with 'sonnet@shop': no such model, or its workspace is for other ")
        [row] = (await ctl(socket, "workspaces", "list", "--json")).json["workspaces"]
        assert (row["name"], row["directory"], row["anonymous"], row["problem"]) == ("shop", str(repo), True, "")
        checked = await ctl(socket, "workspaces", "check", "shop")
        assert (checked.status, checked.err) == (0, "")
        text, reasoning = spoken(await gateway.stream("Read it.", model="sonnet@shop"))
        assert (text, reasoning) == ("Step 1.\n\nAll done.", "Read a.py\n")
        assert "answer = 41" in results(gateway.upstream()[-1])[0]
        removed = await ctl(socket, "workspaces", "remove", "shop")
        assert removed.status == 0
        assert "sonnet@shop" not in (await ctl(socket, "models")).out
        with pytest.raises(openai.NotFoundError):
            await gateway.client.models.retrieve("sonnet@shop")
        assert (await gateway.refused("Read it.", model="sonnet@shop")).status_code == 404
        assert (repo / "a.py").exists()


async def test_the_list_says_what_is_wrong_with_a_directory(tmp_path: Path) -> None:
    directory = tmp_path / "shop"
    directory.mkdir()
    async with running(works([]), config=f'[workspaces.shop]\ndirectory = "{directory}"\n') as gateway:
        [row] = (await ctl(gateway.daemon.socket, "workspaces", "list", "--json")).json["workspaces"]
        assert row["problem"] == ""
        directory.rmdir()
        [row] = (await ctl(gateway.daemon.socket, "workspaces", "list", "--json")).json["workspaces"]
        assert row["problem"] == f"the directory {directory} does not exist: create it"
