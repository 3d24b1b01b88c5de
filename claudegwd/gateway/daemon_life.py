"""The daemon itself, as both faces show it: since when it runs, where it listens, and whether it takes new requests."""

import time
from importlib.metadata import PackageNotFoundError, version

import trio

from claudegwd.gateway.daemon_states import TRANSITIONS, DaemonEvent, DaemonState
from claudegwd.transitions import after


def own_version() -> str:
    """Of the installed package."""
    try:
        return version("claudegwd")
    except PackageNotFoundError:
        return "0+unknown"


class DaemonLife:
    """`binds`: where the public face listens. `drained_since`: since when the operator wants no new requests here."""

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
        """Be not ready, and serve all the same, until `undrain` or a restart; whether that is new."""
        new = self.drained_since is None
        if new:
            self.drained_since = time.time()
        return new

    def undrain(self) -> bool:
        """Be ready again; whether that is new."""
        new = self.drained_since is not None
        self.drained_since = None
        return new
