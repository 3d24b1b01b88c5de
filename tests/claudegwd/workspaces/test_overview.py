from __future__ import annotations

import os
from pathlib import Path

import pytest

from claudegwd.config.schema import ClaudeConfig, WorkspaceConfig
from claudegwd.workspaces.overview import overview

LACK = "the network is not confined"


def test_all_that_people_ask_for(tmp_path: Path) -> None:
    workspace = WorkspaceConfig(directory=str(tmp_path), clients=("webui",), models=("opus", "haiku"))
    assert overview({"shop": workspace}, ClaudeConfig(), ()) == [
        {
            "name": "shop", "directory": str(tmp_path), "models": ["opus@shop", "haiku@shop"],
            "tools": ["Read", "Grep", "Glob"], "clients": ["webui"], "anonymous": False, "otherwise": "deny",
            "sandbox": "auto", "sandbox_effective": "full", "sandbox_missing": [], "sessions": False, "problem": "",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sandbox", "missing", "effective", "problem"),
    [
        ("auto", (), "full", ""),
        ("auto", (LACK,), "partial", ""),
        ("required", (), "full", ""),
        ("required", (LACK,), "partial", f"the sandbox that it requires is not available here: {LACK}"),
        ("off", (LACK,), "off", ""),
    ],
)
def test_the_sandbox(tmp_path: Path, sandbox: str, missing: tuple[str, ...], effective: str, problem: str) -> None:
    workspace = WorkspaceConfig(directory=str(tmp_path), sandbox=sandbox)  # type: ignore[arg-type]  # of the table
    [row] = overview({"shop": workspace}, ClaudeConfig(), missing)
    assert (row["models"], row["sandbox_effective"], row["problem"]) == (["sonnet@shop"], effective, problem)


def test_what_is_wrong(tmp_path: Path) -> None:
    gone = WorkspaceConfig(directory=str(tmp_path / "gone"))
    [row] = overview({"shop": gone}, ClaudeConfig(), ())
    assert row["problem"] == f"the directory {tmp_path}/gone does not exist: create it"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do it all")
def test_what_its_tools_need_of_the_directory(tmp_path: Path) -> None:
    for mode, tools, word in (
        (0o555, ("Read",), ""),
        (0o555, ("Read", "Bash"), "is not writable by "),
        (0o333, ("Read",), "is not readable by "),
    ):
        tmp_path.chmod(mode)
        [row] = overview({"shop": WorkspaceConfig(directory=str(tmp_path), tools=tools)}, ClaudeConfig(), ())
        tmp_path.chmod(0o700)
        assert row["problem"].startswith(f"{tmp_path} {word}" if word else ""), tools
        assert bool(row["problem"]) is bool(word)
