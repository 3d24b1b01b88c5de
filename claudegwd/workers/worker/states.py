"""The states of a worker, and the transitions between them."""

from enum import Enum
from typing import Final

from claudegwd.transitions import Transitions


class WorkerState(Enum):
    STARTING = "starting"  # the process runs and has not answered yet
    SPARE = "spare"  # ready, without credentials and without a conversation
    BUSY = "busy"  # a turn is running
    SETTLING = "settling"  # the answer is complete or abandoned; the CLI ends its turn and is cut back
    IDLE = "idle"  # it holds an answered conversation
    PARKED = "parked"  # mid-turn: it waits for the results of the client's tools
    CLOSING = "closing"  # it accepts nothing more; its process is being ended and reaped


class WorkerEvent(Enum):
    READY = "ready"
    TAKEN = "taken"
    ANSWERED = "answered"
    CALLED = "called"
    ABANDONED = "abandoned"
    SETTLED = "settled"
    ENDED = "ended"


TRANSITIONS: Final[Transitions[WorkerState, WorkerEvent]] = {
    (WorkerState.STARTING, WorkerEvent.READY): WorkerState.SPARE,
    # A request may take a worker that is still starting: what is written waits in the pipe.
    (WorkerState.STARTING, WorkerEvent.TAKEN): WorkerState.BUSY,
    (WorkerState.SPARE, WorkerEvent.TAKEN): WorkerState.BUSY,
    (WorkerState.BUSY, WorkerEvent.READY): WorkerState.BUSY,
    (WorkerState.BUSY, WorkerEvent.ANSWERED): WorkerState.SETTLING,
    (WorkerState.BUSY, WorkerEvent.CALLED): WorkerState.PARKED,
    (WorkerState.BUSY, WorkerEvent.ABANDONED): WorkerState.SETTLING,
    # Its client left before it was ready.
    (WorkerState.SETTLING, WorkerEvent.READY): WorkerState.SETTLING,
    (WorkerState.SETTLING, WorkerEvent.SETTLED): WorkerState.IDLE,
    (WorkerState.IDLE, WorkerEvent.TAKEN): WorkerState.BUSY,
    (WorkerState.PARKED, WorkerEvent.TAKEN): WorkerState.BUSY,
    **{(state, WorkerEvent.ENDED): WorkerState.CLOSING for state in WorkerState},
}


# A CLI takes half a second to start; on a busy machine, at background priority, many times that. One that has not said
# anything by then never will.
START_SECONDS = 30.0
# A request does not wait for a start that takes longer than this if it can get another process.
OVERDUE_START_SECONDS = 5.0
# A working CLI acknowledges settings within milliseconds, and a body of 30 MB within two seconds. This detects one that
# is stopped or hangs, before the upstream is blamed.
ACKNOWLEDGE_SECONDS = 10.0
# After the answer the CLI takes about 5 ms to write its `result`, and 1 to 3 ms to rewind.
SETTLE_SECONDS = 5.0

# How long a worker may be in each state (a constant or a setting), and what happens then.
BOUNDS: dict[WorkerState, tuple[str, str]] = {
    WorkerState.STARTING: ("START_SECONDS", "the worker is ended, and counted as a failed start"),
    WorkerState.SPARE: ("none", "nobody waits for it; once taken, it must answer within ACKNOWLEDGE_SECONDS"),
    WorkerState.BUSY: (
        "limits.request_seconds",
        "the worker is ended; silence and unread answers have bounds of their own",
    ),
    WorkerState.SETTLING: ("SETTLE_SECONDS", "the worker is ended"),
    WorkerState.IDLE: ("workers.idle_seconds", "the worker is ended"),
    WorkerState.PARKED: ("workers.parked_seconds", "the worker is ended; later results are replayed"),
    WorkerState.CLOSING: ("EOF_SECONDS + TERM_SECONDS + REAP_SECONDS", "SIGKILL has ended it by then"),
}
