"""What ends a worker, and what whoever asks it then is told. The process is never started."""

from pathlib import Path

import pytest

from claudegwd.transitions import ImpossibleTransition
from claudegwd.workers.process.process import CliProcess, Launch
from claudegwd.workers.worker.life import WorkerLife, WorkerLost
from claudegwd.workers.worker.states import WorkerEvent, WorkerState


async def nothing(_: object) -> None:
    """For lines that never come."""


class Living:
    def __init__(self) -> None:
        self.seen: list[WorkerState] = []
        self.process = CliProcess(Launch((), {}, Path("/")), nothing)
        self.life = WorkerLife(self.process, lambda: self.seen.append(self.life.state))


async def test_each_change_is_told_and_only_what_settles_is_waited_for() -> None:
    living = Living()
    life = living.life
    for event in (WorkerEvent.READY, WorkerEvent.TAKEN):
        life.change(event)
        assert life.at_rest.is_set()
    life.change(WorkerEvent.ANSWERED)
    before = life.at_rest
    assert not before.is_set()
    life.change(WorkerEvent.SETTLED)
    assert before.is_set()
    assert living.seen == [WorkerState.SPARE, WorkerState.BUSY, WorkerState.SETTLING, WorkerState.IDLE]
    with pytest.raises(ImpossibleTransition):
        life.change(WorkerEvent.SETTLED)


async def test_it_ends_once() -> None:
    living = Living()
    living.life.check()
    living.life.close()
    living.life.close(now=True)
    living.life.end()
    assert living.seen == [WorkerState.CLOSING]
    assert living.process.was_asked_to_end
    with pytest.raises(WorkerLost, match="the CLI exited"):
        living.life.check()


async def test_a_fault_is_the_process_s_and_a_refusal_stays_out_of_the_log() -> None:
    living = Living()
    living.life.fail("it spoke nonsense")
    assert living.process.fault == "it spoke nonsense"
    with pytest.raises(WorkerLost, match="it spoke nonsense"):
        living.life.check()
    living.life.refuse("because of this")
    assert living.process.fault == "it spoke nonsense"
    with pytest.raises(WorkerLost, match="because of this"):
        living.life.check()
