from __future__ import annotations

import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest

from claudegwctl.cli_life.store import Store
from claudegwctl.problems import Problem


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that the real pip takes for its only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel(index: Path, release: str, says: str | None) -> None:
    """A release whose CLI says that of its version; None for one that brings no CLI."""
    info = f"claude_agent_sdk-{release}.dist-info"
    with zipfile.ZipFile(index / f"claude_agent_sdk-{release}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: claude-agent-sdk\nVersion: {release}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
        if says is not None:
            archive.writestr("claude_agent_sdk/_bundled/claude", f"#!/bin/sh\necho '{says}'\n")
            said = says.split()[0]
            archive.writestr("claude_agent_sdk/_cli_version.py", f'__cli_version__ = "{said}"\n')


def test_pip_is_there_wherever_the_gateway_is() -> None:
    """Neither uv nor the packages of Linux systems put it into an environment that does not ask for it."""
    assert any(line.startswith("pip>") for line in requires("claudegwd") or ()), "the program that fetches"


def test_fetching_a_release_and_the_newest(index: Path, tmp_path: Path) -> None:
    wheel(index, "0.2.10", "2.1.400 (Claude Code)")
    wheel(index, "0.2.9", "2.1.399 (Claude Code)")
    store = Store(tmp_path / "state" / "cli")
    assert store.all() == []
    assert store.have("0.2.9").version == "2.1.399"
    newest = store.have("newest")
    assert (newest.version, newest.record["release"], newest.passed) == ("2.1.400", "0.2.10", None)
    assert [kept.version for kept in store.all()] == ["2.1.399", "2.1.400"]
    assert store.judge(newest, ["cut: broke"]).passed is False
    assert store.judge(newest, []).passed is True
    again = store.have("newest")
    assert (again.version, again.passed) == ("2.1.400", True), "what was found out about it is kept"
    assert sorted(path.name for path in store.folder.iterdir()) == ["2.1.399", "2.1.400"]


def test_one_that_was_changed_since_is_not_used(index: Path, tmp_path: Path) -> None:
    wheel(index, "0.2.9", "2.1.399 (Claude Code)")
    store = Store(tmp_path / "cli")
    kept = store.have("0.2.9")
    with kept.binary.open("a") as file:
        file.write("echo more\n")
    with pytest.raises(Problem, match=r"it has changed since it was fetched"):
        store.have("2.1.399")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("3.0.1", r"cannot fetch .3\.0\.1."),
        ("../x", r"^cannot fetch '\.\./x': write newest"),
        ("0.2.11", r"pip says: "),
        ("0.2.1", r"contains no CLI"),
        ("0.2.2", r"reports no version"),
    ],
)
def test_what_cannot_be_had(index: Path, tmp_path: Path, wanted: str, said: str) -> None:
    wheel(index, "0.2.1", None)
    wheel(index, "0.2.2", "nonsense")
    store = Store(tmp_path / "cli")
    with pytest.raises(Problem, match=said):
        store.have(wanted)
    assert store.all() == []


def test_a_version_is_found_by_its_own_number(index: Path, tmp_path: Path) -> None:
    for release, version in (("0.2.6", "2.1.395"), ("0.2.7", "2.1.396"), ("0.2.8", "2.1.398"), ("0.2.10", "2.1.400")):
        wheel(index, release, f"{version} (Claude Code)")
    store = Store(tmp_path / "cli")
    store.have("0.2.10")
    # Counted back from the release that is here it would be 0.2.6, and from that one it is 0.2.7.
    assert store.have("2.1.396").record["release"] == "0.2.7"
    assert [kept.version for kept in store.all()] == ["2.1.396", "2.1.400"], "what was on the way is not kept"
    with pytest.raises(Problem, match=r"^cannot find the release of claude-agent-sdk that contains 2\.1\.397"):
        store.have("2.1.397")
