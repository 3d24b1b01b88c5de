"""Communication with the service manager: what it passed at startup, and what we tell it. Nothing here fails without
one.

sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3). PyPI's sdnotify does the sending; it does not pass descriptors
and hides its errors, so those few lines are ours.
"""

from __future__ import annotations

import re
import socket
from array import array
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sdnotify  # type: ignore[import-untyped]

# sd_listen_fds(3): descriptors begin after stdin, stdout and stderr.
FIRST_DESCRIPTOR: Final = 3
# One listener or a few; a higher number does not come from a service manager.
MAX_DESCRIPTORS: Final = 256


@dataclass(frozen=True)
class Inherited:
    """A descriptor passed by the manager, with its name there."""

    descriptor: int
    name: str


def inherited(env: Mapping[str, str], pid: int) -> tuple[Inherited, ...]:
    """The descriptors meant for process `pid`, from LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES."""
    if env.get("LISTEN_PID") != str(pid):
        return ()
    count = _number(env.get("LISTEN_FDS"))
    if count is None or count > MAX_DESCRIPTORS:
        return ()
    names = env.get("LISTEN_FDNAMES", "").split(":")
    return tuple(
        Inherited(FIRST_DESCRIPTOR + place, names[place] if place < len(names) else "") for place in range(count)
    )


def forget_inherited(env: MutableMapping[str, str]) -> None:
    """Remove the variables from the environment once read: they are not meant for our children."""
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        env.pop(name, None)


def watchdog_interval(env: Mapping[str, str], pid: int) -> float | None:
    """How often to send a keep-alive, in seconds: half the manager's timeout. None if there is no watchdog."""
    if env.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    microseconds = _number(env.get("WATCHDOG_USEC"))
    return microseconds / 2e6 if microseconds else None


def ready_text(status: str) -> str:
    return f"READY=1\n{status_text(status)}"


def stopping_text(status: str) -> str:
    return f"STOPPING=1\n{status_text(status)}"


def status_text(status: str) -> str:
    """The status line of `systemctl status`. A newline in it would start another assignment."""
    return "STATUS=" + re.sub(r"\s+", " ", status).strip()


def extend_text(seconds: float) -> str:
    """Ask for `seconds` more, counted from now, before the manager gives up on starting or stopping."""
    return f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}"


def keep_text(name: str) -> str:
    return f"FDSTORE=1\nFDNAME={name}"


def forget_text(name: str) -> str:
    return f"FDSTOREREMOVE=1\nFDNAME={name}"


# Our unit's ExecStopPost= leaves this file in the state directory if the watchdog killed us.
WATCHDOG_MARK: Final = "watchdog"


def take_watchdog_mark(directory: Path) -> float | None:
    """When the watchdog killed the previous daemon, in seconds since the epoch; None if it did not. Blocking."""
    mark = directory / WATCHDOG_MARK
    try:
        at = mark.stat().st_mtime
        mark.unlink()
    except OSError:
        return None
    return at


class Notifier:
    """Notifies the manager named by NOTIFY_SOCKET; without one, every call does nothing.

    Each call is one small datagram to a socket that the manager reads at once, so it may run on the event loop.
    """

    def __init__(self) -> None:
        self._notifier = sdnotify.SystemdNotifier()

    @property
    def listens(self) -> bool:
        """Whether there is a manager."""
        return bool(self._notifier.socket is not None)

    def ready(self, status: str) -> None:
        self._notifier.notify(ready_text(status))

    def status(self, status: str) -> None:
        self._notifier.notify(status_text(status))

    def stopping(self, status: str) -> None:
        self._notifier.notify(stopping_text(status))

    def extend(self, seconds: float) -> None:
        self._notifier.notify(extend_text(seconds))

    def alive(self) -> None:
        """The watchdog's keep-alive: call it only if the daemon's own checks pass."""
        self._notifier.notify("WATCHDOG=1")

    def keep(self, name: str, sock: socket.socket) -> None:
        """Give the manager a copy of an open listener, which it passes to the next daemon under the same name."""
        if self._notifier.socket is not None:
            passed = array("i", [sock.fileno()]).tobytes()
            # The manager has no descriptor store, or is going away: the next start binds again.
            with suppress(OSError):
                self._notifier.socket.sendmsg(
                    [keep_text(name).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)]
                )

    def forget(self, name: str) -> None:
        """Have the manager close its copies under this name."""
        self._notifier.notify(forget_text(name))


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) else None
