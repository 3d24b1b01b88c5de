"""Check the daemon's service, if there is a service manager."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from claudegwctl.checks.finding import NOTE, OK, PROBLEM, Finding, Scene
from claudegwctl.service.host import user_name

UNIT: Final = "claudegwd.service"
BOOTED: Final = Path("/run/systemd/system")
COMMAND_SECONDS: Final = 10


def check(scene: Scene) -> Iterator[Finding]:
    if not BOOTED.is_dir() or shutil.which("systemctl") is None:
        return
    found = [finding for scope in ("--system", "--user") for finding in _unit(scope)]
    if found:
        yield from found
    elif scene.status is None:
        mend = "install one with `claudegwctl install`, or start `claudegwd` by hand"
        yield Finding("service", NOTE, f"no unit {UNIT}", mend)


def _unit(scope: str) -> Iterator[Finding]:
    properties = _show(scope)
    if properties.get("LoadState") != "loaded":
        return
    control = "systemctl" if scope == "--system" else "systemctl --user"
    state, result = properties.get("ActiveState", "unknown"), properties.get("Result", "")
    says = f"{UNIT} ({scope[2:]}) is {state}, {properties.get('UnitFileState') or 'not enabled'}"
    if state == "failed":
        why = "its configuration is invalid" if properties.get("ExecMainStatus") == "78" else f"result {result}"
        yield Finding(
            "service", PROBLEM, f"{says}: {why}", f"`journalctl -u {UNIT} -n 20`, then `{control} start {UNIT}`"
        )
    elif properties.get("UnitFileState") != "enabled":
        yield Finding("service", NOTE, says, f"`{control} enable --now {UNIT}` starts it at boot")
    else:
        yield Finding("service", OK, says)
    if scope == "--user":
        yield from _linger()


def _linger() -> Iterator[Finding]:
    """Without lingering, a user's services stop when the user's last login ends."""
    user = user_name()
    if _run(["loginctl", "show-user", user, "-p", "Linger", "--value"]).strip() == "no":
        says = f"{user}'s services stop when {user} logs out"
        yield Finding("service", NOTE, says, f"`sudo loginctl enable-linger {user}` keeps them running")


def _show(scope: str) -> dict[str, str]:
    wanted = "LoadState,ActiveState,UnitFileState,Result,ExecMainStatus"
    text = _run(["systemctl", scope, "show", UNIT, "-p", wanted])
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs of the service manager
            command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False,
            env={**os.environ, "SYSTEMD_PAGER": "", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
