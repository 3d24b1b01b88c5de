from __future__ import annotations

from pathlib import Path

import pytest

from claudegwctl.checks.cli import check, find, judged
from claudegwctl.checks.finding import Finding, Scene


def scene(tmp_path: Path, setting: str = "auto", status: dict[str, str] | None = None) -> Scene:
    return Scene({"PATH": str(tmp_path)}, tmp_path / "s", tmp_path / "c", status, {"claude.binary": setting})


def program(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def checked(scene: Scene) -> Finding:
    (finding,) = check(scene)
    return finding


@pytest.mark.parametrize(
    ("output", "level", "says"),
    [
        ("2.1.330 (Claude Code)\n", "ok", "2.1.330 (/c)"),
        ("3.0.0", "ok", "3.0.0 (/c)"),
        ("2.1.315 (Claude Code)", "problem", "/c is 2.1.315, older than 2.1.316"),
        ("1.99.999", "problem", "/c is 1.99.999, older than 2.1.316"),
        ("hello", "problem", "/c reports no version: is it the Claude Code CLI?"),
        ("", "problem", "/c reports no version: is it the Claude Code CLI?"),
    ],
)
def test_versions(output: str, level: str, says: str) -> None:
    found = judged(Path("/c"), output)
    assert (found.level, found.says) == (level, says)
    assert bool(found.mend) == (level == "problem")


def test_the_setting_and_the_daemons_own_word(tmp_path: Path) -> None:
    assert find(scene(tmp_path, "/opt/claude")) == Path("/opt/claude")
    assert find(scene(tmp_path, "/opt/claude", {"claude_binary": "/other"})) == Path("/other")


def test_one_that_answers(tmp_path: Path) -> None:
    binary = program(tmp_path / "claude", "echo '2.1.999 (Claude Code)'")
    assert checked(scene(tmp_path, str(binary))).says == f"2.1.999 ({binary})"


def test_one_that_does_not_start(tmp_path: Path) -> None:
    found = checked(scene(tmp_path, str(tmp_path / "absent")))
    assert found.level == "problem"
    assert found.says.endswith("absent does not start: No such file or directory")
