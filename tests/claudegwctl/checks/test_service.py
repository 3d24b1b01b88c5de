from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.control_cli import environment

# As a program, because systemctl is looked for on PATH.
CHECK = """
import sys, pathlib
from claudegwctl.checks import service
from claudegwctl.checks.finding import Scene
service.BOOTED = pathlib.Path(sys.argv[1])
status = {} if sys.argv[2] == "up" else None
for found in service.check(Scene({}, pathlib.Path("/s"), pathlib.Path("/c"), status)):
    print(found.level, found.about, found.says, "|", found.mend)
"""


def findings(directory: Path, *, system: str = "LoadState=not-found", user: str = "LoadState=not-found",
             linger: str = "yes", up: bool = True, booted: bool = True) -> list[str]:  # fmt: skip
    """With an honest systemctl and loginctl that say these things."""
    answers = {"systemctl": f'case "$1" in --system) printf "{system}" ;; --user) printf "{user}" ;; esac',
               "loginctl": f"echo {linger}"}  # fmt: skip
    for name, body in answers.items():
        (directory / name).write_text(f"#!/bin/sh\n{body}\n")
        (directory / name).chmod(0o755)
    place = directory if booted else directory / "absent"
    done = subprocess.run(
        [sys.executable, "-c", CHECK, str(place), "up" if up else "down"],
        env=environment(PATH=f"{directory}:{os.environ['PATH']}"), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


LOADED = r"LoadState=loaded\nActiveState={}\nUnitFileState={}\nResult={}\nExecMainStatus={}\n"


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        (("active", "enabled", "success", "0"), "ok|is active, enabled | "),
        (("active", "disabled", "success", "0"), "note|is active, disabled | `systemctl enable --now"),
        (("failed", "enabled", "exit-code", "78"), "problem|is failed, enabled: its configuration is invalid | "),
        (("failed", "enabled", "timeout", "0"), "problem|is failed, enabled: result timeout | `journalctl"),
    ],
)
def test_a_system_unit(tmp_path: Path, properties: tuple[str, ...], said: str) -> None:
    (line,) = findings(tmp_path, system=LOADED.format(*properties))
    level, _, rest = said.partition("|")
    assert line.startswith(f"{level} service claudegwd.service (system) {rest}")


def test_a_user_unit_that_ends_with_the_login(tmp_path: Path) -> None:
    unit = LOADED.format("active", "enabled", "success", "0")
    assert len(findings(tmp_path, user=unit)) == 1
    _, linger = findings(tmp_path, user=unit, linger="no")
    assert linger.startswith("note service ")
    assert "'s services stop when" in linger
    assert "enable-linger" in linger


def test_no_unit(tmp_path: Path) -> None:
    assert findings(tmp_path) == []
    (line,) = findings(tmp_path, up=False)
    assert line.startswith("note service no unit claudegwd.service | ")


def test_no_systemd(tmp_path: Path) -> None:
    assert findings(tmp_path, up=False, booted=False) == []
