"""The states of the daemon, and the transitions between them."""

from enum import Enum
from typing import Final

from claudegwd.transitions import Transitions


class DaemonState(Enum):
    """The values appear in the status, where READY shows as "degraded" while no request could be answered."""

    STARTING = "starting"  # no CLI has answered yet
    READY = "ready"
    DRAINING = "draining"  # told to stop; running answers finish


class DaemonEvent(Enum):
    """What can happen to the daemon."""

    STARTED = "started"  # a CLI has answered, and its models are known
    TOLD_TO_STOP = "told to stop"


# If told to stop while starting, the daemon exits at once: there is nothing to drain.
TRANSITIONS: Final[Transitions[DaemonState, DaemonEvent]] = {
    (DaemonState.STARTING, DaemonEvent.STARTED): DaemonState.READY,
    (DaemonState.READY, DaemonEvent.TOLD_TO_STOP): DaemonState.DRAINING,
}
