"""Choose the steps for a service, and carry them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import ModuleType

from claudegwctl.problems import UsageError
from claudegwctl.service import launchd, systemd
from claudegwctl.service.host import Host
from claudegwctl.service.steps import PutFile, Step


class Outcome(StrEnum):
    """What became of a step."""

    DONE = "done"
    IN_PLACE = "in place"
    WOULD = "would"


@dataclass(frozen=True)
class Taken:
    """A step and what became of it."""

    step: Step
    outcome: Outcome

    def as_dict(self) -> dict[str, str]:
        return {"does": self.step.does, "outcome": self.outcome.value, "undo": self.step.undo}


def wants_system(host: Host, *, user: bool, system: bool) -> bool:
    """Whether to manage the system service: as requested, otherwise if the caller is root."""
    if user and system:
        raise UsageError("cannot combine --user and --system: choose one")
    return system or (host.uid == 0 and not user)


def obstacle(host: Host, *, system: bool, installing: bool) -> str:
    """Why it cannot be done here; "" if it can."""
    if not host.manager:
        return (
            "cannot manage a service: this machine runs neither systemd nor launchd (a container?); have its "
            "supervisor run `claudegwd`, and restart it unless it exits with status 78"
        )
    if system and host.uid != 0:
        return "cannot manage the system service without root: use sudo, or --user for a service of your own"
    if not system and not host.user_manager:
        return (
            f"cannot reach the systemd of user {host.user} (after su or sudo, in a container, or from cron): log in "
            f"as that user (`machinectl shell {host.user}@`, or ssh), or keep it running with `sudo loginctl "
            f"enable-linger {host.user}` and set XDG_RUNTIME_DIR=/run/user/{host.uid}"
        )
    hidden = host.hidden
    if installing and system and host.manager == "systemd" and hidden is not None:
        return (
            f"cannot install for the whole machine: the service cannot see {hidden}; install the package elsewhere "
            "with the system's Python (`/usr/bin/python3 -m venv /opt/claudegwd`, `/opt/claudegwd/bin/pip install "
            ".`), then /opt/claudegwd/bin/claudegwctl install; or use --user for a service of your own"
        )
    return ""


def install_steps(host: Host, *, system: bool) -> list[Step]:
    steps: list[Step] = _manager(host).install_steps(host, system=system)
    return steps


def uninstall_steps(host: Host, *, system: bool) -> list[Step]:
    steps: list[Step] = _manager(host).uninstall_steps(host, system=system)
    return steps


def go_through(steps: Sequence[Step], *, dry: bool) -> Iterator[Taken]:
    """Do what is not done yet, in order; with `dry`, only report it. Raises Problem at the first step that fails."""
    for step in steps:
        if step.is_done():
            yield Taken(step, Outcome.IN_PLACE)
        elif dry:
            if isinstance(step, PutFile):
                step.refuse_others()
            yield Taken(step, Outcome.WOULD)
        else:
            step.do()
            yield Taken(step, Outcome.DONE)


def _manager(host: Host) -> ModuleType:
    # If there is neither, a dry run shows what would be done under systemd.
    return launchd if host.manager == "launchd" else systemd
