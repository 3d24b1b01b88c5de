"""What a workspace may reach beyond its directory, and only where its rules name it: MCP servers, the web."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from claudegwd.demo.script import Answer, RecordedRequest
from tests.e2e.harness import Running, running
from tests.e2e.test_process_limits import AS_NOBODY_ELSE, NOBODY_ELSE
from tests.e2e.test_web_search import ALLOWED, PAGES, searching
from tests.e2e.workspace_scripts import Call, bash, config, results, works

pytestmark = [
    pytest.mark.cli,
    pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="the system has no python3"),
]

SYSTEM = {"PATH": "/usr/bin:/bin"}
# A server of MCP by stdio, with two tools.
SERVER = """
import json, os, sys

for line in sys.stdin:
    asked = json.loads(line)
    result = {}
    if asked["method"] == "initialize":
        version = asked["params"]["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {"tools": {}}}
        result["serverInfo"] = {"name": "notes", "version": "1"}
    elif asked["method"] == "tools/list":
        schema = {"type": "object", "properties": {}}
        result = {"tools": [{"name": name, "description": "x", "inputSchema": schema} for name in ("read", "erase")]}
    elif asked["method"] == "tools/call":
        if asked["params"]["name"] == "erase":
            os.remove("notes.txt")
        result = {"content": [{"type": "text", "text": open("notes.txt").read()}]}
    if "id" in asked:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


@pytest.fixture(params=["as it is", "not as root"])
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A repository, and how its daemon is started. Not in pytest's directory, into which nobody else may go."""
    with tempfile.TemporaryDirectory(prefix="cgwrepo") as name:
        repo = Path(name)
        (repo / "notes.txt").write_text("NOTES OF THE REPO\n")
        (repo / "server.py").write_text(SERVER)
        started: dict[str, Any] = {}
        if request.param == "not as root":
            if os.getuid() or shutil.which("setpriv") is None:
                pytest.skip("it is started as another user by root, with setpriv of util-linux")
            started = {"under": AS_NOBODY_ELSE, "owner": NOBODY_ELSE}
            for path in (repo, *repo.iterdir()):
                os.chown(path, NOBODY_ELSE, -1)
        yield repo, started


@pytest.fixture
def outside() -> Iterator[Path]:
    """A directory beside it that anybody may read."""
    with tempfile.TemporaryDirectory(prefix="cgwbeside") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def told(gateway: Running) -> list[str]:
    return results(gateway.upstream()[-1])


async def test_the_tools_of_a_named_server_by_the_rules(place: tuple[Path, dict[str, Any]], outside: Path) -> None:
    repo, started = place
    servers = outside / "servers.json"  # where Claude cannot write
    servers.write_text(
        json.dumps({"mcpServers": {"notes": {"command": "/usr/bin/python3", "args": [f"{repo}/server.py"]}}})
    )
    text = f'anonymous = true\nallow = ["mcp__notes__read"]\nmcp = "{servers}"\ntools = ["Read"]'
    calls: list[Call] = [("mcp__notes__read", {}), ("mcp__notes__erase", {}), ("Read", {"file_path": "notes.txt"})]
    async with running(works(calls), config=config(repo, text), env=SYSTEM, **started) as gateway:
        answer = await gateway.ask("Go.", model="sonnet@repo")
        lines = answer.message.reasoning_content.splitlines()
        assert lines[0] == "mcp__notes__read"
        assert lines[1].startswith("mcp__notes__erase -> denied: ")
        assert ["NOTES OF THE REPO" in text for text in told(gateway)] == [True, False, True]
        names = {tool["name"] for tool in gateway.upstream()[-1].body["tools"]}
        assert names == {"Read", "mcp__notes__read", "mcp__notes__erase"}
        assert (repo / "notes.txt").exists()


async def test_commands_and_edits(place: tuple[Path, dict[str, Any]]) -> None:
    repo, started = place
    text = 'anonymous = true\ntools = ["Edit", "Read", "Bash"]\nallow = ["Edit", "Bash(cat *)"]\nsandbox = "required"'
    edit = {"file_path": str(repo / "notes.txt"), "old_string": "NOTES", "new_string": "WORDS"}
    calls = [("Read", {"file_path": "notes.txt"}), ("Edit", edit), bash("cat notes.txt"), bash("id -u")]
    async with running(works(calls), config=config(repo, text), env=SYSTEM, **started) as gateway:
        answer = await gateway.ask("Go.", model="sonnet@repo")
        assert answer.text.endswith("All done.")
        assert "WORDS OF THE REPO" in told(gateway)[2]
        assert "no rule allows that command" in told(gateway)[3]
        assert (repo / "notes.txt").stat().st_uid == started.get("owner", os.getuid())


@pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("setpriv") is None or shutil.which("git") is None,
    reason="it is started as another user by root, with setpriv of util-linux; and needs git",
)
async def test_git_in_a_directory_of_another_user(outside: Path) -> None:
    subprocess.run(["git", "init", "-q", "-b", "main", str(outside)], check=True)
    text = 'anonymous = true\ntools = ["Bash"]\nallow = ["Bash(git *)"]\nsandbox = "required"'
    work = works([bash("git status")])
    started: dict[str, Any] = {"under": AS_NOBODY_ELSE, "owner": NOBODY_ELSE}
    async with running(work, config=config(outside, text), env=SYSTEM, **started) as gateway:
        await gateway.ask("Go.", model="sonnet@repo")
        assert told(gateway)[0].startswith("On branch main")


async def test_the_web_is_searched_only_where_it_is_a_tool_and_allowed(tmp_path: Path) -> None:
    seen: list[RecordedRequest] = []
    work = works([("WebSearch", {"query": "the latest release"})])

    def script(request: RecordedRequest) -> Answer:
        if any(tool.get("type", "").startswith("web_search") for tool in request.body.get("tools", ())):
            seen.append(request)
            return searching(request)
        return work(request)

    rules = 'anonymous = true\ntools = ["WebSearch"]\nallow = ["WebSearch"]'
    async with running(script, config=config(tmp_path, rules) + ALLOWED) as gateway:
        answer = await gateway.ask("Go.", model="sonnet@repo")
        assert answer.message.reasoning_content == "WebSearch the latest release\n"
        assert len(seen) == 1
        assert all(page in told(gateway)[0] for page in PAGES)
    denied = 'anonymous = true\ntools = ["WebSearch"]'
    async with running(script, config=config(tmp_path, denied) + ALLOWED) as gateway:
        answer = await gateway.ask("Go.", model="sonnet@repo")
        assert "-> denied: " in answer.message.reasoning_content
        assert len(seen) == 1


async def test_a_page_is_fetched_only_from_a_host_that_is_allowed(tmp_path: Path) -> None:
    rules = 'anonymous = true\ntools = ["WebFetch"]\nallow = ["WebFetch(domain:allowed.invalid)"]'
    calls: list[Call] = [
        ("WebFetch", {"url": f"https://{host}/x", "prompt": "What is there?"})
        for host in ("other.invalid", "allowed.invalid.example.invalid", "allowed.invalid")
    ]
    async with running(works(calls), config=config(tmp_path, rules)) as gateway:
        answer = await gateway.ask("Go.", model="sonnet@repo")
        lines = answer.message.reasoning_content.splitlines()
        assert ["-> denied: " in line for line in lines] == [True, True, False]
        # No such host exists: that it was looked for is all that can be seen here.
        assert lines[2] == "WebFetch https://allowed.invalid/x -> failed"
