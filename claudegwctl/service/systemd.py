"""The steps of a service under systemd: for the machine, or for one user."""

from __future__ import annotations

import pwd
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from claudegwctl.service import files
from claudegwctl.service.host import PROGRAMS, Host
from claudegwctl.service.steps import Link, PutFile, Remove, Run, Step

UNIT: Final = "claudegwd.service"
USER: Final = "claudegwd"
# RestartSteps= came with this version; earlier ones warn about it at every start.
BACK_OFF_VERSION: Final = 254
QUERY_SECONDS: Final = 10
_PACKAGED: Final = ("usr/lib/systemd", "lib/systemd")


def install_steps(host: Host, *, system: bool) -> list[Step]:
    """Everything that an enabled, running service needs, in order."""
    steps: list[Step] = [] if is_packaged(host, system=system) else list(_own_files(host, system=system))
    if system and steps:
        steps += _user_and_places(host)
    written = [step for step in steps if isinstance(step, PutFile) and "systemd" in step.path.parts]
    # Checked now: once they are written, nothing shows that the running daemon was started with the old ones.
    as_before = all(step.is_done() for step in written)
    return [*steps, *_running(_control(system=system), as_before=as_before)]


def _running(control: list[str], *, as_before: bool) -> Iterator[Step]:
    show = " ".join(control)
    yield Run(
        "reload systemd's units", [*control, "daemon-reload"],
        lambda: as_before and _show(control, "LoadState", "NeedDaemonReload") == ["loaded", "no"], "nothing to undo",
    )  # fmt: skip
    yield Run(
        "enable it at boot", [*control, "enable", UNIT],
        lambda: _show(control, "UnitFileState") == ["enabled"], f"{show} disable {UNIT}",
    )  # fmt: skip
    yield Run(
        "start it", [*control, "restart", UNIT], lambda: as_before and _show(control, "ActiveState") == ["active"],
        f"{show} stop {UNIT}", hint=f"`{show.replace('systemctl', 'journalctl')} -u {UNIT} -n 20` shows why",
    )  # fmt: skip


def uninstall_steps(host: Host, *, system: bool) -> list[Step]:
    """Stop and disable the service and remove its files; configuration, keys, state and user are kept."""
    control = _control(system=system)
    stop = Run(
        "stop and disable it", [*control, "disable", "--now", UNIT],
        lambda: _is_at_rest(control),
        "claudegwctl install",
    )  # fmt: skip
    gone: list[Step] = [
        Remove(step.path) for step in _own_files(host, system=system) if isinstance(step, PutFile | Link)
    ]
    changed = any(not step.is_done() for step in gone)
    again = Run("reload systemd's units", [*control, "daemon-reload"], lambda: not changed, "nothing to undo")
    return [stop, *gone, again]


def is_installed(*, system: bool) -> bool:
    """Whether the manager knows our unit."""
    return _show(_control(system=system), "LoadState") == ["loaded"]


def command(verb: str, *, system: bool) -> list[str]:
    """What starts, stops or restarts it."""
    return [*_control(system=system), verb, UNIT]


def is_packaged(host: Host, *, system: bool) -> bool:
    """Whether a distribution's package has installed the unit of this very program."""
    kind = "system" if system else "user"
    for place in _PACKAGED:
        try:
            text = (host.root / place / kind / UNIT).read_text()
        except OSError:
            continue
        found = re.search(r"^ExecStart=(\S+)", text, re.MULTILINE)
        if found and Path(found[1]).resolve() == (host.programs / PROGRAMS[0]).resolve():
            return True
    return False


def _own_files(host: Host, *, system: bool) -> Iterator[Step]:
    if system:
        units, prefix = host.root / "etc/systemd/system", host.root / "usr/local"
        yield PutFile(host.root / "etc/sysusers.d/claudegwd.conf", files.read("sysusers.d/claudegwd.conf"))
        yield PutFile(host.root / "etc/tmpfiles.d/claudegwd.conf", files.read("tmpfiles.d/claudegwd.conf"))
        yield PutFile(units / UNIT, unit(host, "systemd/claudegwd.service"))
    else:
        units, prefix = host.home / ".config/systemd/user", host.home / ".local"
        yield PutFile(units / UNIT, unit(host, "systemd/user/claudegwd.service"))
    if host.systemd_version >= BACK_OFF_VERSION:
        name = "claudegwd.service.d/back-off.conf"
        yield PutFile(units / name, b"# Written by `claudegwctl install`.\n" + files.read(f"systemd/{name}"))
    if host.programs not in (prefix / "bin", host.root / "usr/bin"):
        for name in PROGRAMS:
            yield Link(prefix / "bin" / name, host.programs / name)
    for name, place in {**files.SHARED, **(files.SHARED_ZSH if system else {})}.items():
        yield PutFile(prefix / place, files.read(name))


def unit(host: Host, name: str) -> bytes:
    """The unit with the programs' paths on this machine."""
    text = files.read(name).decode()
    for program in PROGRAMS:
        text = text.replace(f"=/usr/bin/{program}", f"={word(host.programs / program)}")
    return (
        f"# Written by `claudegwctl install`; put your own settings into `systemctl edit {UNIT}`.\n" + text
    ).encode()


def word(path: Path) -> str:
    """A path as one word of a command line in a unit."""
    text = str(path).replace("%", "%%")
    return (
        text
        if re.fullmatch(r"[A-Za-z0-9/._%+@-]+", text)
        else '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'
    )


def _user_and_places(host: Host) -> Iterator[Step]:
    yield Run(
        f"create the user and group {USER}",
        ["systemd-sysusers", str(host.root / "etc/sysusers.d/claudegwd.conf")],
        _user_exists, f"userdel {USER}",
    )  # fmt: skip
    yield Run(
        "create the directories for configuration and credentials",
        ["systemd-tmpfiles", "--create", str(host.root / "etc/tmpfiles.d/claudegwd.conf")],
        lambda: (host.root / "etc/claudegwd").is_dir() and (host.root / "etc/credstore").is_dir(),
        "rm -r /etc/claudegwd (with configuration and keys)",
    )  # fmt: skip


def _user_exists() -> bool:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return True


def _control(*, system: bool) -> list[str]:
    return ["systemctl"] if system else ["systemctl", "--user"]


def _is_at_rest(control: list[str]) -> bool:
    state = _show(control, "ActiveState", "UnitFileState")
    return not state or (state[0] in {"inactive", "failed"} and state[1] != "enabled")


def _show(control: list[str], *properties: str) -> list[str]:
    """The values of these properties; [] if the manager cannot be reached."""
    wanted = [part for name in properties for part in ("-p", name)]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program of the system
            [*control, "show", UNIT, *wanted], capture_output=True, text=True, timeout=QUERY_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return [found[name] for name in properties] if found.keys() >= set(properties) else []
