"""Claude Code itself as a client: it edits a file and runs a command through the gateway, and a key dies under it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from claudegwd.demo.replies import blocks, say
from claudegwd.demo.script import Answer, RecordedRequest, ScriptedReply, Text, ToolUse, revoked
from tests.cli_binary import find_cli
from tests.e2e.harness import Running, running

pytestmark = pytest.mark.cli

FIRST, SECOND = "sk-false-one-0001", "sk-false-two-0002"


def results(request: RecordedRequest) -> int:
    return sum(block.get("type") == "tool_result" for message in request.messages for block in blocks(message))


async def claude_code(gateway: Running, directory: Path, question: str) -> str:
    """Its answer, run in this directory as a program that asks nobody for permission."""
    home = directory / "home"
    home.mkdir()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": gateway.base_url,
        "ANTHROPIC_API_KEY": "any",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }
    command = [str(find_cli()), "-p", question, "--model", "sonnet", "--allowedTools", "Bash", "Write"]
    done = await trio.run_process(
        command, env=environment, cwd=directory, stdin=b"", capture_stdout=True, capture_stderr=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.decode().strip()


async def test_it_finishes_a_task_while_the_first_key_is_revoked(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"

    def script(request: RecordedRequest) -> Answer:
        given = results(request)
        if given and request.key == FIRST:
            return revoked()
        if not given:
            write = ToolUse("toolu_1", "Write", {"file_path": str(file), "content": "written by it\n"}, 3)
            return ScriptedReply((Text(("Writing",)), write), "tool_use")
        if given == 1:
            show = ToolUse("toolu_2", "Bash", {"command": f"cat {file}", "description": "Show it"}, 2)
            return ScriptedReply((show,), "tool_use")
        return say("All ", "done")

    async with running(script, keys=(FIRST, SECOND)) as gateway:
        assert await claude_code(gateway, tmp_path, "Write a file and show it") == "All done"
        assert file.read_text() == "written by it\n"
        asked = gateway.upstream()
        assert [request.key for request in asked] == [FIRST, FIRST, SECOND, SECOND]
        shown = [block for message in asked[-1].messages for block in blocks(message) if block["type"] == "tool_result"]
        assert "written by it" in str(shown[-1]["content"])
        assert {"Bash", "Edit", "Read", "Write"} <= {tool["name"] for tool in asked[-1].body["tools"]}
        assert (await gateway.keys())["k0"]["state"] == "invalid"
