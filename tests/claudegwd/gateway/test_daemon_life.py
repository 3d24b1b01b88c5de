import pytest
import trio

from claudegwd.gateway.daemon_life import DaemonLife
from claudegwd.gateway.daemon_states import DaemonEvent, DaemonState
from claudegwd.transitions import ImpossibleTransition


async def test_it_starts_serves_and_drains() -> None:
    life = DaemonLife()
    assert life.version
    with pytest.raises(ImpossibleTransition):
        life.change(DaemonEvent.TOLD_TO_STOP)
    life.change(DaemonEvent.STARTED)
    assert (life.state, life.draining.is_set()) == (DaemonState.READY, False)
    life.change(DaemonEvent.TOLD_TO_STOP)
    with trio.fail_after(1):
        await life.draining.wait()
    assert life.state is DaemonState.DRAINING


async def test_the_operator_s_drain_is_new_once_and_ends() -> None:
    life = DaemonLife()
    assert life.drain()
    since = life.drained_since
    assert since is not None
    assert not life.drain()
    assert life.drained_since == since
    assert life.undrain()
    assert not life.undrain()
    assert life.drained_since is None
    assert life.state is DaemonState.STARTING
