"""The daemon itself, as both faces show it: when it started, where it listens, and whether it takes new requests."""

import time
from importlib.metadata import PackageNotFoundError, version

import trio

from claudegwd.gateway.daemon_states import TRANSITIONS, DaemonEvent, DaemonState
from claudegwd.transitions import after


def own_version() -> str:
    """The installed package's version."""
    try:
        return version("claudegwd")
    except PackageNotFoundError:
        return "0+unknown"


class DaemonLife:
    """`binds`: where the public face listens. `drained_since`: when the operator drained it, if so."""

    def __init__(self) -> None:
        self.version = own_version()
        self.started_at = time.time()
        self.binds: list[str] = []
        self.state = DaemonState.STARTING
        self.draining = trio.Event()  # it was told to stop
        self.drained_since: float | None = None

    def change(self, event: DaemonEvent) -> None:
        """Take an event of the state table."""
        self.state = after(TRANSITIONS, self.state, event)
        if self.state is DaemonState.DRAINING:
            self.draining.set()

    def drain(self) -> bool:
        """Report not ready, but keep serving, until `undrain` or a restart. Returns whether that is new."""
        new = self.drained_since is None
        if new:
            self.drained_since = time.time()
        return new

    def undrain(self) -> bool:
        """Report ready again. Returns whether that is new."""
        new = self.drained_since is not None
        self.drained_since = None
        return new
