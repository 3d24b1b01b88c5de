"""The states of a worker, as a table. An unlisted pair is an error that names both."""

from enum import Enum


class WorkerState(Enum):
    STARTING = "starting"  # the process runs and has not answered yet
    SPARE = "spare"  # ready, without credentials and without a conversation
    BUSY = "busy"  # a turn is under way
    SETTLING = "settling"  # the answer is complete or nobody wants it; the CLI ends its turn and is cut back
    IDLE = "idle"  # it holds an answered conversation
    PARKED = "parked"  # in mid-turn: it waits for the results of the client's tools
    CLOSING = "closing"  # it takes nothing more; its process is being ended and reaped


class WorkerEvent(Enum):
    READY = "ready"
    TAKEN = "taken"
    ANSWERED = "answered"
    CALLED = "called"
    ABANDONED = "abandoned"
    SETTLED = "settled"
    ENDED = "ended"


TABLE: dict[tuple[WorkerState, WorkerEvent], WorkerState] = {
    (WorkerState.STARTING, WorkerEvent.READY): WorkerState.SPARE,
    # A request may take a worker that is still starting: what is written waits in the pipe.
    (WorkerState.STARTING, WorkerEvent.TAKEN): WorkerState.BUSY,
    (WorkerState.SPARE, WorkerEvent.TAKEN): WorkerState.BUSY,
    (WorkerState.BUSY, WorkerEvent.READY): WorkerState.BUSY,
    (WorkerState.BUSY, WorkerEvent.ANSWERED): WorkerState.SETTLING,
    (WorkerState.BUSY, WorkerEvent.CALLED): WorkerState.PARKED,
    (WorkerState.BUSY, WorkerEvent.ABANDONED): WorkerState.SETTLING,
    # Its client had left before it was ready.
    (WorkerState.SETTLING, WorkerEvent.READY): WorkerState.SETTLING,
    (WorkerState.SETTLING, WorkerEvent.SETTLED): WorkerState.IDLE,
    (WorkerState.IDLE, WorkerEvent.TAKEN): WorkerState.BUSY,
    (WorkerState.PARKED, WorkerEvent.TAKEN): WorkerState.BUSY,
    **{(state, WorkerEvent.ENDED): WorkerState.CLOSING for state in WorkerState},
}


class WorkerStateError(Exception):
    """A transition that is not in the table."""


def after(state: WorkerState, event: WorkerEvent) -> WorkerState:
    """The next state; raises WorkerStateError for a pair that is not in the table."""
    try:
        return TABLE[state, event]
    except KeyError:
        raise WorkerStateError(f"cannot take {event.value} in state {state.value}") from None
