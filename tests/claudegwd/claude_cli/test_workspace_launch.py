from __future__ import annotations

from itertools import pairwise
from pathlib import PurePosixPath as Path

import pytest

from claudegwd.claude_cli.workspace_launch import argv, environment, settings


def line(**more: object) -> list[str]:
    given: dict[str, object] = {
        "tools": ("Read", "Bash"), "settings": Path("/h/settings.json"), "mcp": None, "max_turns": 3, "max_usd": 0.0,
        **more,
    }  # fmt: skip
    return argv(Path("/bin/claude"), **given)  # type: ignore[arg-type]


def test_the_command_line() -> None:
    found = line()
    after = dict(pairwise(found))
    assert after["--tools"] == "Read,Bash"
    assert after["--permission-prompt-tool"] == "stdio"
    assert after["--setting-sources"] == ""
    assert after["--permission-mode"] == "default"
    assert after["--max-turns"] == "3"
    assert {"--strict-mcp-config", "--disable-slash-commands", "--no-session-persistence"} <= set(found)
    assert not {"--bare", "--max-budget-usd", "--mcp-config", "--allowedTools"} & set(found)
    assert not any("bypass" in each or "dangerously" in each for each in found)


def test_bounds_and_servers() -> None:
    found = line(mcp=Path("/h/servers.json"), max_usd=0.5)
    after = dict(pairwise(found))
    assert (after["--mcp-config"], after["--max-budget-usd"]) == ("/h/servers.json", "0.5")


def test_the_environment_has_no_secret_of_the_daemon() -> None:
    daemon = {
        "PATH": "/bin", "HOME": "/home/u", "ANTHROPIC_API_KEY": "sk-false-1", "CLAUDE_CODE_OAUTH_TOKEN": "x",
        "AWS_SECRET_ACCESS_KEY": "x", "API_KEYS": "x", "HTTPS_PROXY": "http://u:p@proxy", "SSH_AUTH_SOCK": "/s",
    }  # fmt: skip
    built = environment(daemon, home=Path("/h"), token="cgw-false", tool_seconds=960, confined=True)
    assert {name: built[name] for name in ("PATH", "HOME", "TMPDIR", "ANTHROPIC_AUTH_TOKEN")} == {
        "PATH": "/bin", "HOME": "/h", "TMPDIR": "/h", "ANTHROPIC_AUTH_TOKEN": "cgw-false",
    }  # fmt: skip
    assert built["MCP_TOOL_TIMEOUT"] == "960000"
    assert not set(daemon) & set(built) - {"PATH", "HOME"}


@pytest.mark.parametrize("confined", [False, True])
def test_git_works_in_what_belongs_to_others_only_in_a_sandbox(confined: bool) -> None:
    built = environment({}, home=Path("/h"), token="cgw-false", tool_seconds=1, confined=confined)
    assert ("safe.directory" in built.values()) is confined


def test_every_call_is_asked_about() -> None:
    assert settings(("Read", "Bash"), ("git",), ("Read(.env)",)) == {
        "permissions": {"ask": ["Read", "Bash", "mcp__git"], "deny": ["Read(.env)"]},
        "disableAllHooks": True,
    }
