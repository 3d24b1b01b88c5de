"""The table: every pair is either listed or an error that names both."""

import pytest

from claudegwd.workers.states import TABLE, WorkerEvent, WorkerState, WorkerStateError, after

PAIRS = [(state, event) for state in WorkerState for event in WorkerEvent]


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_every_pair_is_listed_or_refused(state: WorkerState, event: WorkerEvent) -> None:
    if (state, event) in TABLE:
        assert after(state, event) is TABLE[state, event]
    else:
        with pytest.raises(WorkerStateError, match=rf"cannot take {event.value} in state {state.value}"):
            after(state, event)


def test_every_state_can_end_and_nothing_leaves_the_end() -> None:
    assert all(after(state, WorkerEvent.ENDED) is WorkerState.CLOSING for state in WorkerState)
    leaving = {event for state, event in TABLE if state is WorkerState.CLOSING}
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
    assert [state for state, found in TABLE if found is event] == states
