"""A workspace with `otherwise = "ask"`: a person answers from a second terminal while the client's stream lives on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.control_cli import ctl
from tests.e2e.harness import PATIENCE_SECONDS, Running, running
from tests.e2e.workspace_scripts import bash, config, results, spoken, works

pytestmark = pytest.mark.cli

ASKS = """
anonymous = true
otherwise = "ask"
tools = ["Read", "Bash"]
"""


async def waiting(gateway: Running, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
    """The one question that waits."""
    found: list[dict[str, Any]] = []

    async def one() -> bool:
        found[:] = (await gateway.control("GET", "/v1/approvals")).json()["approvals"]
        return len(found) == 1

    await gateway.until(one, seconds)
    return found[0]


async def test_a_person_decides_from_a_second_terminal(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    calls = [bash("touch one"), bash("touch two"), bash("touch one")]
    async with running(works(calls), config=config(repo, ASKS)) as gateway:
        chunks: Sequence[Any] = ()

        async def client() -> None:
            nonlocal chunks
            chunks = await gateway.stream("Go.", model="sonnet@repo")

        socket = gateway.daemon.socket
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client)
            first = await waiting(gateway)
            assert (first["workspace"], first["directory"], first["client"]) == ("repo", str(repo), "")
            assert (first["shown"], first["why"]) == ("Bash: touch one", "no rule allows that command")
            assert not (repo / "one").exists()
            assert "touch one" in (await ctl(socket, "approvals")).out
            done = await ctl(socket, "approve", first["id"], "--always")
            assert done.out == f"approved {first['id']}, and the same call from now on\n"

            async def second() -> bool:
                return (await waiting(gateway))["id"] != first["id"]

            await gateway.until(second)
            ident = (await waiting(gateway))["id"]
            assert (await ctl(socket, "deny", ident, "--why", "not that one")).out == f"denied {ident}\n"
        assert (repo / "one").exists()
        assert not (repo / "two").exists()
        text, reasoning = spoken(chunks)
        assert text.endswith("All done.")
        assert reasoning.splitlines() == [
            f"waiting for approval of {first['id']}: Bash: touch one",
            "Bash: touch one -> exit 0",
            f"waiting for approval of {ident}: Bash: touch two",
            "Bash: touch two -> denied: not that one",
            "Bash: touch one -> exit 0",
        ]
        assert "not that one" in results(gateway.upstream()[-1])[1]
        audit = (await gateway.control("GET", "/v1/audit")).json()["changes"]
        assert [row["what"] for row in audit] == [
            "approved in a workspace", "denied in a workspace", "denied in a workspace",
        ]  # fmt: skip
        assert "touch one" in json.dumps(audit)
        assert "touch" not in gateway.log  # what the model wrote is for the audit alone
        assert (await ctl(socket, "approvals")).out == "nothing is waiting for approval\n"
        gone = await ctl(socket, "approve", ident)
        assert (gone.status, gone.err.startswith("cannot find approval")) == (1, True)
