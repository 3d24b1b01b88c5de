"""The machine and the user that a service is installed for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claudegwctl.problems import Problem

PROGRAMS: Final = ("claudegwd", "claudegwctl")
# What the system service cannot see (ProtectHome=, PrivateTmp=).
HIDDEN: Final = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108 - compared only
BOOTED: Final = Path("/run/systemd/system")  # sd_booted(3)


@dataclass(frozen=True)
class Host:
    """`programs` is the directory of claudegwd and claudegwctl; `python` the paths that they need; `root` is "/"."""

    manager: str  # "systemd", "launchd", or "" if there is neither
    systemd_version: int
    uid: int
    user: str
    home: Path
    programs: Path
    python: tuple[Path, ...]
    root: Path = Path("/")
    user_manager: bool = True  # the user's own systemd can be reached

    @property
    def hidden(self) -> Path | None:
        """A path that the programs need and the system service cannot see, if there is one."""
        needed = (self.programs / PROGRAMS[0], *self.python)
        return next((path for path in needed if any(path.is_relative_to(place) for place in HIDDEN)), None)

    def require_programs(self) -> None:
        """Raise Problem if the programs are not installed."""
        for name in PROGRAMS:
            if not os.access(self.programs / name, os.X_OK):
                raise Problem(
                    f"cannot find {name} in {self.programs}: install the package first (`pip install .` in a checkout)"
                )


def user_name() -> str:
    """The current user's name, or number if it has no name."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def this_host() -> Host:
    """The machine and user that this runs on."""
    return Host(
        manager=(manager := _manager()),
        systemd_version=_systemd_version(),
        uid=os.geteuid(),
        user=user_name(),
        home=Path.home(),
        programs=Path(sysconfig.get_path("scripts")),
        python=(Path(sys.executable).resolve(), Path(sys.base_prefix).resolve(), Path(__file__).resolve()),
        user_manager=manager != "systemd" or _has_user_manager(),
    )


def _manager() -> str:
    if sys.platform == "darwin":
        return "launchd"
    return "systemd" if BOOTED.is_dir() else ""


def _has_user_manager() -> bool:
    command = ["systemctl", "--user", "show", "--property", "Version"]
    try:
        return not subprocess.run(command, capture_output=True, timeout=10, check=False).returncode  # noqa: S603 - the system's own
    except (OSError, subprocess.TimeoutExpired):
        return False


def _systemd_version() -> int:
    """0 if there is no systemd."""
    try:
        done = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S607 - the system's own
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.match(r"systemd (\d+)", done.stdout)
    return int(found[1]) if found else 0
