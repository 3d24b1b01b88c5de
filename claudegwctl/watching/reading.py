"""Poll the daemon in a separate thread: it may take long to answer, and the screen must not freeze meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from claudegwctl.client import LOOK_SECONDS, Daemon
from claudegwctl.problems import Problem


@dataclass(frozen=True)
class Look:
    """What the daemon said at one moment, in seconds since the epoch."""

    at: float
    status: Mapping[str, Any]
    requests: list[dict[str, Any]]
    approvals: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        return {"at": self.at, "status": self.status, "requests": self.requests, "approvals": self.approvals}


Tell = Callable[[Look | Problem], object]


def look(daemon: Daemon) -> Look:
    """Ask for everything once. Raises Problem."""
    now = time.time()
    status = daemon.ask("GET", "/v1/status", seconds=LOOK_SECONDS)
    requests = daemon.ask("GET", "/v1/requests", seconds=LOOK_SECONDS).get("requests")
    approvals = daemon.ask("GET", "/v1/approvals", seconds=LOOK_SECONDS).get("approvals")
    if not isinstance(requests, list) or not isinstance(approvals, list):
        raise Problem("cannot read the answer: the daemon runs another version; restart it")
    return Look(now, status, requests, approvals)


class Reader:
    """Passes a Look or a Problem to `tell` every `interval` seconds, from its own thread, until `stop`."""

    def __init__(self, daemon: Daemon, interval: float, tell: Tell) -> None:
        self._daemon = daemon
        self._interval = interval
        self._tell = tell
        self._stopped = False
        self._paused = False
        self._wake = Event()

    def start(self) -> None:
        """Start polling. The thread never keeps the program from exiting, even if the daemon hangs."""
        Thread(target=self._run, name="reader", daemon=True).start()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()

    def pause(self, paused: bool) -> None:
        """Stop polling, or resume at once."""
        self._paused = paused
        if not paused:
            self.look_now()

    def look_now(self) -> None:
        """Poll without waiting for the interval: something was changed."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopped:
            if not self._paused:
                self._tell(self._look())
            self._wake.wait(None if self._paused else self._interval)
            self._wake.clear()

    def _look(self) -> Look | Problem:
        try:
            return look(self._daemon)
        except Problem as problem:
            return problem
