"""Root, and whoever may use sudo, gets CI's Debian packages; everybody else continues without them."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "dpkg-query": "exit 1",
    "apt-get": 'echo "$DEBIAN_FRONTEND $*" >>"$CALLS"',
    "sudo": '[ "$1" = -n ] && shift && echo sudo >>"$CALLS" && exec "$@"',
}


def installed(folder: Path, uid: int, **other: str) -> tuple[str, list[str]]:
    """What the script says, and what was called of the programs that stand in for those that change the machine."""
    for name, script in (PROGRAMS | {"id": f"echo {uid}"} | other).items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(folder / "calls")}
    done = subprocess.run([ROOT / ".ci/packages"], env=env, capture_output=True, text=True, check=True)
    calls = folder / "calls"
    return done.stdout, calls.read_text().splitlines() if calls.exists() else []


@pytest.mark.parametrize("uid", [0, 1000])
def test_they_are_installed(tmp_path: Path, uid: int) -> None:
    said, calls = installed(tmp_path, uid)
    assert said == ""
    assert [call for call in calls if call.startswith("noninteractive install -qy")][1].endswith(" chromium")
    assert ("sudo" in calls) == (uid != 0)


def test_without_root_the_tests_go_on(tmp_path: Path) -> None:
    said, calls = installed(tmp_path, 1000, sudo="echo 'a password is required' >&2; exit 1")
    assert (said.startswith("not installed: this requires root"), calls) == (True, [])


def test_what_cannot_be_had_is_named(tmp_path: Path) -> None:
    said, _ = installed(tmp_path, 0, **{"apt-get": "exit 100"})
    assert said.splitlines()[-1] == "not installed: chromium"
