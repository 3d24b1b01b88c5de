from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from claudegwd.config.diff import diff
from claudegwd.config.load import load
from claudegwd.config.problems import ConfigError
from claudegwd.config.schema import Config
from claudegwd.config.show import config_rows
from claudegwd.config.workspaces import WORKSPACE_KEYS


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    directory = tmp_path / "work" / "repo"
    directory.mkdir(parents=True)
    return directory


def loaded(repo: Path, text: str) -> Config:
    home = repo.parent.parent / "home"
    (home / "state").mkdir(parents=True, exist_ok=True)
    file = home / "config.toml"
    file.write_text(text.replace("DIR", str(repo)))
    env = {"HOME": str(home), "STATE_DIRECTORY": str(home / "state"), "CLAUDEGWD_SOCKET": str(home / "s")}
    return load(file, env).config


def test_the_defaults_only_read(repo: Path) -> None:
    workspace = loaded(repo, '[workspaces.repo]\ndirectory = "DIR"\n').workspaces["repo"]
    assert workspace.tools == ("Read", "Grep", "Glob")
    assert (workspace.allow, workspace.deny, workspace.clients, workspace.anonymous) == ((), (), (), False)
    assert (workspace.otherwise, workspace.sandbox, workspace.mcp) == ("deny", "auto", "")
    assert not workspace.instructions


def test_every_key_can_be_written(repo: Path) -> None:
    (repo.parent / "servers.json").write_text("{}")
    text = """
[workspaces.my-repo_2]
directory = "DIR"
tools = ["Read", "Edit", "Bash", "WebFetch", "WebSearch"]
allow = ["Bash(pytest *)", "Edit(src/**)", "Read(//opt/tool/**)", "WebFetch(domain:example.org)", "mcp__git"]
deny = ["Read(.env)", "Bash"]
otherwise = "ask"
models = ["sonnet", "opus"]
clients = ["webui"]
anonymous = true
mcp = "DIR/../servers.json"
instructions = true
max_turns = 3
max_usd = 0.5
seconds = 60
sandbox = "required"
sessions = true
session_seconds = 60
"""
    workspace = loaded(repo, text).workspaces["my-repo_2"]
    assert (workspace.max_turns, workspace.max_usd, workspace.seconds) == (3, 0.5, 60)
    assert workspace.allow[0] == "Bash(pytest *)"
    assert workspace.models == ("sonnet", "opus")
    assert all(f"\n{key} = " in text for key in WORKSPACE_KEYS), "add each new key here"


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ('[workspaces]\ndirectory = "DIR"', "workspaces", "put [workspaces.NAME]"),
        ("workspaces = 5", "workspaces", "put [workspaces.NAME]"),
        ('[workspaces.Repo]\ndirectory = "DIR"', "workspaces.Repo", "lower-case letters"),
        ('[workspaces.20250514]\ndirectory = "DIR"', "workspaces.20250514", "starting with a letter"),
        ("[workspaces.a]", "workspaces.a.directory", "is missing"),
        ('[workspaces.a]\ndirectory = "repo"', "workspaces.a.directory", "must be the path of a directory"),
        ('[workspaces.a]\ndirectory = "DIR/none"', "workspaces.a.directory", "is not an existing directory"),
        ('[workspaces.a]\ndirectory = "/etc"', "workspaces.a.directory", "choose the directory of a single project"),
        ('[workspaces.a]\ndirectory = "DIR/../.."', "workspaces.a.directory", "where the daemon keeps its own files"),
        ('[workspaces.a]\ndirectory = "DIR/../../home/state"', "workspaces.a.directory", "where the daemon keeps"),
        ('[workspaces.a]\ndirectory = "DIR"\ntool = ["Read"]', "workspaces.a.tool", "is an unknown setting"),
        ('[workspaces.a]\ndirectory = "DIR"\ntools = ["Task"]', "workspaces.a.tools", 'cannot contain "Task"'),
        ('[workspaces.a]\ndirectory = "DIR"\ntools = "Read"', "workspaces.a.tools", "must be a list of tools"),
        ('[workspaces.a]\ndirectory = "DIR"\notherwise = "allow"', "workspaces.a.otherwise", 'must be "deny" or "ask"'),
        ('[workspaces.a]\ndirectory = "DIR"\nmax_turns = 0', "workspaces.a.max_turns", "from 1 to 1000"),
        ('[workspaces.a]\ndirectory = "DIR"\nmax_usd = nan', "workspaces.a.max_usd", "US dollars"),
        ('[workspaces.a]\ndirectory = "DIR"\nmodels = ["sonnet@b"]', "workspaces.a.models", "name the plain model"),
        ('[workspaces.a]\ndirectory = "DIR"\nmcp = "DIR/none"', "workspaces.a.mcp", "is not an existing file"),
        ('[workspaces.a]\ndirectory = "DIR"\nallow = ["mcp__git"]', "workspaces.a.allow", "set mcp to a file"),
        ('[workspaces.a]\ndirectory = "DIR"\nallow = ["Bash(ls"]', "workspaces.a.allow", "use the name of a tool"),
        ('[workspaces.a]\ndirectory = "DIR"\nallow = ["Bash(ls *)"]', "workspaces.a.allow", "is not in tools"),
        ('[workspaces.a]\ndirectory = "DIR"\nallow = ["Edit"]', "workspaces.a.allow", "is not in tools"),
        ('[workspaces.a]\ndirectory = "DIR"\nallow = ["Read(//**)"]', "workspaces.a.allow", "keeps its own files"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(repo: Path, text: str, key: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(repo, text)
    assert caught.value.key == key
    assert says in str(caught.value)


@pytest.mark.parametrize("rule", ["Bash", "Bash(*)", "Bash(**)", "Bash(* *)", "Bash(*:*)"])
def test_no_rule_allows_every_command(repo: Path, rule: str) -> None:
    with pytest.raises(ConfigError, match="list the commands"):
        loaded(repo, f'[workspaces.a]\ndirectory = "DIR"\ntools = ["Bash"]\nallow = ["{rule}"]')


def test_all_that_is_wrong_is_told_at_once(repo: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(repo, '[log]\nlevel = "loud"\n[workspaces.a]\nmax_turns = 0\n[workspaces.b]\ndirectory = "DIR"\ntools=1')
    assert {"log.level", "workspaces.a.max_turns", "workspaces.a.directory", "workspaces.b.tools"} <= set(
        str(caught.value).replace(":", " ").split()
    )


def test_a_reload_tells_what_changes_and_show_lists_every_key(repo: Path) -> None:
    before = loaded(repo, "")
    after = loaded(repo, '[workspaces.repo]\ndirectory = "DIR"\nmax_turns = 9\n')
    changes: Any = diff(before, after)
    assert [(change.key, change.old) for change in changes] == [("workspaces.repo", None)]
    assert changes[0].new["max_turns"] == 9
    assert not changes[0].needs_restart
    home = repo.parent.parent / "home"
    env = {"HOME": str(home), "STATE_DIRECTORY": str(home / "state"), "CLAUDEGWD_SOCKET": str(home / "s")}
    rows = {row["key"]: row for row in config_rows(load(home / "config.toml", env))}
    assert (rows["workspaces.repo.max_turns"]["value"], rows["workspaces.repo.max_turns"]["source"]) == (9, "file")
    assert rows["workspaces.repo.seconds"]["source"] == "default"
