"""What the daemon goes through, once."""

import pytest

from claudegwd.gateway.daemon_states import TRANSITIONS, DaemonEvent, DaemonState
from claudegwd.transitions import ImpossibleTransition, after


def test_it_starts_serves_and_drains_once() -> None:
    ready = after(TRANSITIONS, DaemonState.STARTING, DaemonEvent.STARTED)
    assert ready is DaemonState.READY
    draining = after(TRANSITIONS, ready, DaemonEvent.TOLD_TO_STOP)
    assert draining is DaemonState.DRAINING
    for event in DaemonEvent:
        with pytest.raises(ImpossibleTransition):
            after(TRANSITIONS, draining, event)
