"""A project of the older gateway may lie in a workspace: its path names one, and never makes one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import running
from tests.e2e.workspace_scripts import config, results, works

pytestmark = pytest.mark.cli

GRANTED = 'clients = ["webui"]\nmodels = ["sonnet"]'


async def test_a_path_names_a_workspace_and_never_makes_one(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "a.py").write_text("answer = 41\n")
    aliases = '[claude]\naliases = { "gpt-4o" = "sonnet" }\n'
    script = works([("Read", {"file_path": "a.py"})])
    async with running(script, config=config(repo, GRANTED) + aliases) as gateway:
        keys = {}
        for name in ("webui", "other"):
            made = await gateway.control("POST", "/v1/clients", {"name": name})
            keys[name] = {"authorization": f"Bearer {made.json()['key']}"}

        async def ask(client: str, path: Path, model: str = "sonnet") -> Any:
            project = {"name": "shop", "path": f"{path}/"}
            made = await gateway.post(project, "/v1/projects", headers=keys[client])
            body = {"model": model, "project_id": made.json()["id"], "messages": [{"role": "user", "content": "Go."}]}
            return await gateway.post(body, headers=keys[client])

        for model in ("sonnet", "gpt-4o", "sonnet@repo"):
            answer = await ask("webui", repo, model)
            assert answer.json()["choices"][0]["message"]["reasoning_content"] == "Read a.py\n"
            assert "answer = 41" in results(gateway.upstream()[-1])[0]
        # The session that came with the project stays there.
        session = {"model": "sonnet", "session_id": answer.json()["session_id"]}
        again = {**session, "messages": [{"role": "user", "content": "Again."}]}
        assert "Read" in (await gateway.post(again, headers=keys["webui"])).text
        refused = await ask("webui", repo, "haiku")
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
        # Nobody else is in there, nor does another path lead anywhere.
        for client, path in (("other", repo), ("webui", tmp_path), ("webui", repo / "sub")):
            before = gateway.endpoint.count
            await ask(client, path)
            assert [request.body.get("tools") for request in gateway.upstream(before)] == [[]]
        assert not (repo / "sub").exists()
