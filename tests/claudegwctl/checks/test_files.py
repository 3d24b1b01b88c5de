from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from claudegwctl.checks.files import check
from claudegwctl.checks.finding import Finding, Scene
from tests.small_gateway import short_directory


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as made:
        for name, mode in (("config.toml", 0o644), ("keys.json", 0o600), ("env.sh", 0o600)):
            (made / name).touch()
            (made / name).chmod(mode)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(made / "control.sock"))
            (made / "control.sock").chmod(0o660)
            yield made


def findings(directory: Path) -> list[Finding]:
    return list(check(Scene({}, directory / "control.sock", directory / "config.toml")))


def test_all_is_well(directory: Path) -> None:
    found = [(finding.level, finding.says) for finding in findings(directory)]
    assert found == [("ok", "no private file is readable by others")]


@pytest.mark.parametrize(
    ("name", "mode", "mend"),
    [
        ("config.toml", 0o666, "chmod go-w"),
        ("keys.json", 0o640, "chmod 600"),
        ("keys.json", 0o700, "chmod 600"),
        ("env.sh", 0o644, "chmod 600"),
        ("control.sock", 0o666, "chmod o="),
    ],
)
def test_a_file_that_lies_open(directory: Path, name: str, mode: int, mend: str) -> None:
    (directory / name).chmod(mode)
    (found,) = findings(directory)
    assert found.level == "problem"
    assert f"{directory / name} has mode {mode:04o}: " in found.says
    assert found.mend.startswith(f"`{mend} ")


def test_a_directory_that_lies_open(directory: Path) -> None:
    directory.chmod(0o777)
    assert {found.mend for found in findings(directory)} == {f"`chmod go-w {directory}`"}


def test_the_commands_can_be_pasted_into_a_shell(directory: Path) -> None:
    config = directory / "Application Support" / "config.toml"  # as on macOS
    config.parent.mkdir()
    config.touch()
    config.chmod(0o666)
    (found,) = check(Scene({}, directory / "control.sock", config))
    assert found.mend == f"`chmod go-w '{config}'`"


def test_nothing_is_there(directory: Path) -> None:
    (found,) = check(Scene({}, directory / "absent" / "s", directory / "absent" / "config.toml"))
    assert found.level == "ok"
