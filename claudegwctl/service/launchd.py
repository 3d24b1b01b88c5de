"""The steps of a service under launchd: for the machine (LaunchDaemon), or for one user (LaunchAgent)."""

from __future__ import annotations

import grp
import plistlib
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from claudegwctl.problems import Problem
from claudegwctl.service import files
from claudegwctl.service.host import PROGRAMS, Host
from claudegwctl.service.steps import Link, MakeDirectory, PutFile, Remove, Run, Step

USER: Final = "_claudegwd"
# Ids for services that are not Apple's, whose own end at about 300.
SERVICE_IDS: Final = range(350, 400)
QUERY_SECONDS: Final = 10
AGAIN: Final = "error 5 right after unloading is temporary: run it again"


def install_steps(host: Host, *, system: bool) -> list[Step]:
    """Everything that a loaded job needs, in order."""
    steps: list[Step] = list(_user_and_places(host)) if system else []
    own = list(_own_files(host, system=system))
    as_before = own[0].is_done()
    named = target(host, system=system)
    loaded = _is_loaded(named)
    if loaded and not as_before:
        steps.append(Run("unload the previous job", ["launchctl", "bootout", named], lambda: False, "nothing to undo"))
    load = ["launchctl", "bootstrap", _domain(host, system=system), str(_job_path(host, system=system))]
    undo = f"launchctl bootout {named}"
    return [*steps, *own, Run("load and start it", load, lambda: as_before and loaded, undo, hint=AGAIN)]


def uninstall_steps(host: Host, *, system: bool) -> list[Step]:
    """Unload the job and remove its files; configuration, keys, state and user are kept."""
    named = target(host, system=system)
    unload = Run(
        "stop and unload it", ["launchctl", "bootout", named], lambda: not _is_loaded(named), "claudegwctl install"
    )
    own = _own_files(host, system=system)
    return [unload, *(Remove(step.path) for step in own if isinstance(step, PutFile | Link))]


def is_installed(host: Host, *, system: bool) -> bool:
    """Whether our job's property list is in place."""
    return _job_path(host, system=system).exists()


def command(verb: str, host: Host, *, system: bool) -> list[str]:
    """What starts, stops or restarts it. A job that exits is started again, so stopping means unloading."""
    name = target(host, system=system)
    if verb == "stop":
        return ["launchctl", "bootout", name]
    if not _is_loaded(name):
        return ["launchctl", "bootstrap", _domain(host, system=system), str(_job_path(host, system=system))]
    return ["launchctl", "kickstart", *(["-k"] if verb == "restart" else []), name]


def target(host: Host, *, system: bool) -> str:
    """The job's name for launchctl."""
    return f"{_domain(host, system=system)}/{_label(system=system)}"


def job(host: Host, *, system: bool) -> bytes:
    """The property list with the programs' paths on this machine, and the absolute paths of this user."""
    name = _label(system=system)
    found = plistlib.loads(files.read(f"launchd/{name}.plist"))
    found["ProgramArguments"] = [str(host.programs / PROGRAMS[0])]
    if not system:
        log = str(host.home / "Library/Logs/claudegwd.log")
        found |= {"StandardOutPath": log, "StandardErrorPath": log}
        # The CLI's own installer puts it in ~/.local/bin, which launchd's PATH lacks.
        found["EnvironmentVariables"] = {"PATH": f"{host.home}/.local/bin:/usr/local/bin:/usr/bin:/bin"}
    head, _, rest = plistlib.dumps(found).partition(b"<plist")
    return head + b"<!-- Written by `claudegwctl install`. -->\n<plist" + rest


def _own_files(host: Host, *, system: bool) -> Iterator[Step]:
    prefix = host.root / "usr/local" if system else host.home / ".local"
    yield PutFile(_job_path(host, system=system), job(host, system=system))
    if host.programs != prefix / "bin":
        for name in PROGRAMS:
            yield Link(prefix / "bin" / name, host.programs / name)
    for name, place in files.SHARED.items():
        yield PutFile(prefix / place, files.read(name))


def _user_and_places(host: Host) -> Iterator[Step]:
    number = str(_free_id())
    yield Run(
        f"create the group {USER}", ["dseditgroup", "-o", "create", "-i", number, USER], _group_exists,
        f"dseditgroup -o delete {USER}",
    )  # fmt: skip
    yield Run(
        f"create the user {USER}",
        ["sysadminctl", "-addUser", USER, "-fullName", "Claude gateway", "-UID", number, "-GID", number,
         "-shell", "/usr/bin/false", "-home", str(host.root / "usr/local/var/lib/claudegwd"), "-roleAccount"],
        _user_exists, f"sysadminctl -deleteUser {USER}",
    )  # fmt: skip
    yield MakeDirectory(host.root / "usr/local/var/log")
    yield MakeDirectory(host.root / "usr/local/etc/claudegwd", 0o755, USER)
    yield MakeDirectory(host.root / "usr/local/var/run/claudegwd", 0o755, USER)
    yield MakeDirectory(host.root / "usr/local/var/lib/claudegwd", 0o700, USER)


def _label(*, system: bool) -> str:
    return "claudegwd.daemon" if system else "claudegwd.agent"


def _domain(host: Host, *, system: bool) -> str:
    return "system" if system else f"gui/{host.uid}"


def _job_path(host: Host, *, system: bool) -> Path:
    place = host.root / "Library/LaunchDaemons" if system else host.home / "Library/LaunchAgents"
    return place / f"{_label(system=system)}.plist"


def _free_id() -> int:
    taken = {entry.pw_uid for entry in pwd.getpwall()} | {entry.gr_gid for entry in grp.getgrall()}
    for number in SERVICE_IDS:
        if number not in taken:
            return number
    raise Problem(f"cannot create the user {USER}: no free id from {SERVICE_IDS.start} to {SERVICE_IDS.stop - 1}")


def _user_exists() -> bool:
    return any(entry.pw_name == USER for entry in pwd.getpwall())


def _group_exists() -> bool:
    return any(entry.gr_name == USER for entry in grp.getgrall())


def _is_loaded(named: str) -> bool:
    try:
        done = subprocess.run(["launchctl", "print", named], capture_output=True, timeout=QUERY_SECONDS, check=False)  # noqa: S603, S607 - a program of the system
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
