"""Where the CLI is looked for."""

from pathlib import Path

import pytest

from claudegwd.config.schema import ClaudeConfig
from claudegwd.workers.cli.binary import NoCliError, find_binary

ABSENT = "no_such_package_at_all"


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_setting_wins(tmp_path: Path) -> None:
    mine = program(tmp_path / "claude")
    assert find_binary(ClaudeConfig(binary=str(mine)), {"PATH": ""}) == mine


@pytest.mark.parametrize("name", ["absent", "directory", "not-executable"])
def test_a_setting_that_cannot_be_run_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "not-executable").write_text("x")
    with pytest.raises(NoCliError, match=r"cannot run .*claude\.binary"):
        find_binary(ClaudeConfig(binary=str(tmp_path / name)), {})


def test_path_serves_where_nothing_is_bundled(tmp_path: Path) -> None:
    mine = program(tmp_path / "bin" / "claude")
    assert find_binary(ClaudeConfig(), {"PATH": str(mine.parent)}, bundled=ABSENT) == mine


def test_none_at_all_says_how_to_get_one() -> None:
    with pytest.raises(NoCliError, match=r"pip install"):
        find_binary(ClaudeConfig(), {"PATH": "/nonexistent"}, bundled=ABSENT)


def keep(state: Path, version: str, record: str) -> Path:
    binary = program(state / "cli" / version / "claude")
    binary.with_name("record.json").write_text(record)
    return binary


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another package that brings 2.1.330."""
    place = tmp_path / "packages" / "brings_a_cli"
    pinned = program(place / "_bundled" / "claude")
    (place / "__init__.py").touch()
    (place / "_cli_version.py").write_text('__cli_version__ = "2.1.330"\n')
    monkeypatch.syspath_prepend(str(place.parent))
    return pinned


PASSED = '{"problems": [], "sha256": "00"}'


@pytest.mark.parametrize(
    ("kept", "newest"),
    [
        ({}, None),
        ({"2.1.331": PASSED}, "2.1.331"),
        ({"2.1.99": PASSED}, None),
        ({"2.1.331": PASSED, "2.1.1000": PASSED, "2.1.999": PASSED}, "2.1.1000"),
        (
            {"2.1.331": PASSED, "2.1.332": '{"problems": ["cut: broke"]}', "2.1.333": '{"release": "0.2.190"}'},
            "2.1.331",
        ),
        ({"2.1.331": "no JSON"}, None),
    ],
)
def test_the_newest_is_that_which_has_passed(
    tmp_path: Path, package: Path, kept: dict[str, str], newest: str | None
) -> None:
    places = {version: keep(tmp_path, version, record) for version, record in kept.items()}
    env = {"STATE_DIRECTORY": str(tmp_path)}
    wanted = places[newest] if newest else package
    assert find_binary(ClaudeConfig(version="newest"), env, bundled="brings_a_cli") == wanted
    assert find_binary(ClaudeConfig(), env, bundled="brings_a_cli") == package
    for version, place in places.items():
        assert find_binary(ClaudeConfig(version=version), env, bundled="brings_a_cli") == place


def test_a_version_that_is_not_here_says_how_to_fetch_it(tmp_path: Path) -> None:
    with pytest.raises(NoCliError, match=r"claudegwctl cli try 2\.1\.332"):
        find_binary(ClaudeConfig(version="2.1.332"), {"STATE_DIRECTORY": str(tmp_path)})
