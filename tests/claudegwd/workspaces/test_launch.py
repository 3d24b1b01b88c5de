"""The policy's real paths, and what of the directory is read for the system prompt, whatever commands made of it."""

import os
from pathlib import Path

import msgspec
import pytest

from claudegwd.config.schema import WorkspaceConfig
from claudegwd.workspaces.launch import instructions_of, policy_of


@pytest.fixture
def workspace(tmp_path: Path) -> WorkspaceConfig:
    (tmp_path / "repo").mkdir()
    (tmp_path / "outside").write_text("a secret")
    return WorkspaceConfig(directory=str(tmp_path / "repo"), instructions=True)


def read(workspace: WorkspaceConfig) -> str:
    return instructions_of(workspace, policy_of(workspace))


def test_they_are_read_where_they_are_wanted(workspace: WorkspaceConfig) -> None:
    assert read(workspace) == ""
    Path(workspace.directory, "CLAUDE.md").write_text("Be careful.")
    assert read(workspace) == "Be careful."
    assert read(msgspec.structs.replace(workspace, instructions=False)) == ""


def test_a_link_is_followed_inside_and_not_out(workspace: WorkspaceConfig) -> None:
    link = Path(workspace.directory, "CLAUDE.md")
    Path(workspace.directory, "AGENTS.md").write_text("Be brief.")
    link.symlink_to("AGENTS.md")
    assert read(workspace) == "Be brief."
    link.unlink()
    link.symlink_to("../outside")
    assert read(workspace) == ""


def test_a_pipe_in_its_place_keeps_nobody_waiting(workspace: WorkspaceConfig) -> None:
    os.mkfifo(Path(workspace.directory, "CLAUDE.md"))
    assert read(workspace) == ""


def test_rules_mean_the_real_paths_of_when_they_were_read(tmp_path: Path) -> None:
    (tmp_path / "tool-1.2").mkdir()
    (tmp_path / "tool").symlink_to("tool-1.2")
    rules = (f"Read(/{tmp_path}/tool/**)", f"Edit(/{tmp_path}/*/x)", "Bash(ls *)", "Read(/src)")
    made = policy_of(WorkspaceConfig(directory=str(tmp_path), allow=rules, deny=(rules[0], "Read(.env)")))
    real = f"Read(/{tmp_path}/tool-1.2/**)"
    assert [rule.text for rule in made.allow] == [real, *rules[1:]]
    assert [rule.text for rule in made.deny] == [rules[0], "Read(.env)", real], "the link's name stays denied"
    assert made.outside("Read") == (f"{tmp_path}/tool-1.2",)


def test_a_rule_for_everything_stays_one(tmp_path: Path) -> None:
    made = policy_of(WorkspaceConfig(directory=str(tmp_path), allow=("Read(//**)", "Read(//usr/)")))
    assert [rule.text for rule in made.allow] == ["Read(//**)", "Read(//usr/)"]
    assert made.outside("Read") == ("/", "/usr")
