"""Where the CLI is looked for."""

from pathlib import Path

import pytest

from claudegwd.workers.binary import NoCliError, find_binary

ABSENT = "no_such_package_at_all"


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_setting_wins(tmp_path: Path) -> None:
    mine = program(tmp_path / "claude")
    assert find_binary(str(mine), {"PATH": ""}) == mine


@pytest.mark.parametrize("name", ["absent", "directory", "not-executable"])
def test_a_setting_that_cannot_be_run_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "not-executable").write_text("x")
    with pytest.raises(NoCliError, match=r"cannot run .*claude\.binary"):
        find_binary(str(tmp_path / name), {})


def test_path_serves_where_nothing_is_bundled(tmp_path: Path) -> None:
    mine = program(tmp_path / "bin" / "claude")
    assert find_binary("auto", {"PATH": str(mine.parent)}, bundled=ABSENT) == mine


def test_none_at_all_says_how_to_get_one() -> None:
    with pytest.raises(NoCliError, match=r"pip install"):
        find_binary("auto", {"PATH": "/nonexistent"}, bundled=ABSENT)
