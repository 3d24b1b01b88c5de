"""The states of a worker (its table is tested with those of the other machines)."""

import pytest

from claudegwd.transitions import after
from claudegwd.workers.worker.states import TRANSITIONS, WorkerEvent, WorkerState


def test_every_state_can_end_and_nothing_leaves_the_end() -> None:
    assert all(after(TRANSITIONS, state, WorkerEvent.ENDED) is WorkerState.CLOSING for state in WorkerState)
    leaving = {event for state, event in TRANSITIONS if state is WorkerState.CLOSING}
    assert leaving == {WorkerEvent.ENDED}


@pytest.mark.parametrize(
    ("event", "states"),
    [
        (WorkerEvent.ANSWERED, [WorkerState.BUSY]),
        (WorkerEvent.CALLED, [WorkerState.BUSY]),
        (WorkerEvent.ABANDONED, [WorkerState.BUSY]),
        (WorkerEvent.SETTLED, [WorkerState.SETTLING]),
    ],
)
def test_what_happens_in_the_course_of_a_turn_happens_in_one(event: WorkerEvent, states: list[WorkerState]) -> None:
    assert [state for state, found in TRANSITIONS if found is event] == states
