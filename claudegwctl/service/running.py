"""Start and stop an installed service, with the service manager's own program."""

from __future__ import annotations

import subprocess
from typing import Final, Literal

from claudegwctl.problems import Problem
from claudegwctl.service import launchd, systemd
from claudegwctl.service.host import Host, this_host
from claudegwctl.service.steps import COMMAND_SECONDS

Verb = Literal["start", "stop", "restart"]
NONE: Final = "set one up with `claudegwctl install`, or run `claudegwd` in a terminal and stop it with Ctrl-C"


def control(verb: Verb) -> dict[str, str]:
    """Do it, wait until it is done, and return what was done to which service. Raises Problem."""
    command, service = chosen(verb, this_host())
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program of the system
            command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise Problem(f"cannot {verb} {service}: {command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise Problem(f"cannot wait longer than {COMMAND_SECONDS} s for {service}: see `claudegwctl doctor`") from None
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"{command[0]} exited with status {done.returncode}"
        raise Problem(f"cannot {verb} {service}: {said}")
    return {"done": verb, "service": service}


def chosen(verb: Verb, host: Host) -> tuple[list[str], str]:
    """The command, and the service's name: this user's own service if there is one, else the system's."""
    if host.manager == "systemd":
        for system in (False, True):
            if systemd.is_installed(system=system):
                return systemd.command(verb, system=system), f"{systemd.UNIT} ({'system' if system else 'user'})"
    if host.manager == "launchd":
        for system in (False, True):
            if launchd.is_installed(host, system=system):
                return launchd.command(verb, host, system=system), launchd.target(host, system=system)
    raise Problem(f"cannot {verb} the service: none is installed; {NONE}")
