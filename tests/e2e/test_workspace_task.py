"""A whole task, as a new user has it: a failing test is made to pass, under rules, with a person to ask."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
import trio

from tests.control_cli import ctl
from tests.e2e.harness import openai_client, running
from tests.e2e.test_approvals import waiting
from tests.e2e.workspace_scripts import bash, config, spoken, works

pytestmark = [
    pytest.mark.cli,
    pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="the system has no python3"),
]

SYSTEM = {"PATH": "/usr/bin:/bin"}
RULES = """
clients = ["webui"]
tools = ["Read", "Edit", "Bash"]
allow = ["Edit(shop/**)", "Bash(python3 -m unittest *)"]
deny = ["Bash(git push *)"]
otherwise = "ask"
"""
TESTS = """
import unittest
from shop.cart import total


class Total(unittest.TestCase):
    def test_it(self):
        self.assertEqual(total([1, 2]), 3)
"""
TASK: list[dict[str, Any]] = [{"role": "user", "content": "Make the test pass."}]


def repository(directory: Path) -> Path:
    (directory / "shop").mkdir(parents=True)
    (directory / "shop" / "cart.py").write_text("def total(prices):\n    return 0\n")
    (directory / "test_cart.py").write_text(TESTS)
    return directory


async def streamed(client: openai.AsyncOpenAI, shape: str) -> tuple[str, str]:
    """The task in the official client's own words, or in those of Open WebUI, whose server sends this itself."""
    if shape == "openai":
        return spoken([chunk async for chunk in await client.chat.completions.create(
            model="sonnet@shop", messages=TASK, stream=True,  # type: ignore[arg-type]
        )])  # fmt: skip
    body = {
        "stream": True, "model": "sonnet@shop", "stream_options": {"include_usage": True},
        "messages": [{"role": "system", "content": "You are a helpful assistant."}, *TASK],
        "metadata": {"chat_id": "5b1c", "session_id": "a7"}, "user": "u-1",
    }  # fmt: skip
    said = [json.loads(data) async for data in _events(client, body) if data != "[DONE]"]
    deltas = [chunk["choices"][0]["delta"] for chunk in said if chunk["choices"]]
    text, shown = ("".join(delta.get(name) or "" for delta in deltas) for name in ("content", "reasoning_content"))
    assert said[-1]["usage"]["prompt_tokens"] == 60
    return text, shown


async def _events(client: openai.AsyncOpenAI, body: dict[str, Any]) -> AsyncIterator[str]:
    asked = client.chat.completions.with_streaming_response
    async with asked.create(**body) as response:
        async for line in response.iter_lines():
            if line.startswith("data: "):
                yield line.removeprefix("data: ")


@pytest.mark.parametrize("shape", ["openai", "open webui"])
async def test_a_failing_test_is_made_to_pass(tmp_path: Path, shape: str) -> None:
    repo = repository(tmp_path / "shop")
    test, edit = "python3 -m unittest -q", {"file_path": "shop/cart.py", "old_string": "0", "new_string": "sum(prices)"}
    calls = [bash(test), ("Read", {"file_path": "shop/cart.py"}), ("Edit", edit), bash("git push origin"),
             bash("touch CHANGES"), bash(test)]  # fmt: skip
    calls = calls[:6] if shape == "openai" else calls[:2] + calls[2:3] + calls[4:6]
    async with running(works(calls), config=config(repo, RULES, "shop"), env=SYSTEM) as gateway:
        socket = gateway.daemon.socket
        keys = {
            name: (await ctl(socket, "clients", "create", name, "--json")).json["key"] for name in ("webui", "desk")
        }
        found: list[str] = []

        async def work() -> None:
            async with openai_client(f"{gateway.base_url}/v1", keys["webui"]) as client:
                found.extend(await streamed(client, shape))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            asked = await waiting(gateway, 60)  # after some steps
            assert (asked["shown"], asked["client"]) == ("Bash: touch CHANGES", "webui")
            assert (await ctl(socket, "approve", asked["id"])).out == f"approved {asked['id']}\n"
        text, shown = found
        assert text.endswith("All done.")
        assert (repo / "shop" / "cart.py").read_text().endswith("return sum(prices)\n")
        lines = shown.splitlines()
        assert (lines[0], lines[-1]) == (f"Bash: {test} -> exit 1, 1 failed", f"Bash: {test} -> exit 0, 1 passed")
        assert f"waiting for approval of {asked['id']}: Bash: touch CHANGES" in lines
        audit = (await ctl(socket, "audit")).out
        assert "touch CHANGES" in audit
        if shape == "openai":
            assert "Bash: git push origin -> denied: Bash(git push *) is denied here" in lines
            assert "git push" in audit
        async with openai_client(f"{gateway.base_url}/v1", keys["desk"]) as other:
            with pytest.raises(openai.NotFoundError):
                await streamed(other, "openai")
