"""Which worker serves a question, and how: one pure function of what the pool sees.

With upstream keys a request is sent whole, so any idle worker that was started for its client and system prompt can
serve it (`warm`). With the CLI's login a worker holds one conversation: the best choice is the one that already holds
the same beginning, and a rewind makes it fit if the client has edited, branched or asked again (`rewound`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from claudegwd.workers.worker.states import WorkerState


class Way(Enum):
    """How a worker was obtained, as reported in `x-claudegw-worker`."""

    PARKED = "parked"  # it is waiting mid-turn for these results
    CONTINUED = "continued"  # it holds the conversation; only what is new is sent
    REWOUND = "rewound"  # it holds the start of it, or another conversation, and is cut back
    WARM = "warm"  # it has served before and holds nothing
    SPARE = "spare"  # it is ready and unused
    COLD = "cold"  # it has to be started first


class Candidate(NamedTuple):
    """A worker as the choice sees it. Entries are counted from the beginning of the plan.

    `common`: how many of the plan's leading entries it holds, out of `length` in all. `cut`: how many of the plan's
    entries remain if it is cut back. `takes_results`: the plan brings exactly the results that its open tool calls wait
    for. `spared`: it was parked a moment ago, and its client should be back soon. `overdue`: its start is taking longer
    than usual.
    """

    state: WorkerState
    used_at: float = 0.0
    same_base: bool = False
    common: int = 0
    length: int = 0
    cut: int = 0
    takes_results: bool = False
    spared: bool = False
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class WorkerChoice:
    """`worker`: index of the chosen one, None for a new process. `held`: how many of the plan's entries it keeps.
    `instead`: index of one to end, to make room."""

    way: Way
    worker: int | None = None
    held: int = 0
    instead: int | None = None


def choose(
    seen: Sequence[Candidate], *, whole: bool, room: bool, may_start: bool = True, fresh: bool = False
) -> WorkerChoice | None:
    """The choice for one plan, or None: then the request waits for a worker.

    `whole`: requests are sent whole. `room`: a process may be started without ending another. `may_start`: starts are
    not failing at the moment. `fresh`: take one that holds nothing yet, because a used one has failed this request.
    """
    if not fresh:
        choice = _warm(seen) if whole else _holding(seen)
        if choice is not None:
            return choice
    for state, way in ((WorkerState.SPARE, Way.SPARE), (WorkerState.STARTING, Way.COLD)):
        unused = _oldest(seen, state)
        if unused is not None and not (seen[unused].overdue and room and may_start):
            return WorkerChoice(way, unused)
    if room and may_start:
        return WorkerChoice(Way.COLD)
    return _at_the_bound(seen, goes_back=not whole and not fresh, may_start=may_start)


def _warm(seen: Sequence[Candidate]) -> WorkerChoice | None:
    """The most recently used one, so that workers not needed stay idle and are ended."""
    fits = [index for index, one in enumerate(seen) if one.state is WorkerState.IDLE and one.same_base]
    return WorkerChoice(Way.WARM, max(fits, key=lambda index: seen[index].used_at)) if fits else None


def _holding(seen: Sequence[Candidate]) -> WorkerChoice | None:
    """The one that needs the least replay."""
    choices = [choice for index, one in enumerate(seen) if (choice := _as_it_is(index, one)) is not None]
    return max(choices, key=lambda choice: choice.held) if choices else None


def _as_it_is(index: int, one: Candidate) -> WorkerChoice | None:
    """How a worker can be used with the conversation that it holds, if at all."""
    if one.state is WorkerState.IDLE and one.same_base and one.length == 0:
        return WorkerChoice(Way.REWOUND, index)  # its last client left before the answer
    if one.state not in (WorkerState.IDLE, WorkerState.PARKED) or not one.common:
        return None
    if one.common == one.length and one.takes_results == (one.state is WorkerState.PARKED):
        return WorkerChoice(Way.PARKED if one.takes_results else Way.CONTINUED, index, one.common)
    # A client that sends a parked conversation without the results will not send them later.
    is_left = one.common == one.length and one.state is WorkerState.PARKED
    return WorkerChoice(Way.REWOUND, index, one.cut) if one.cut or is_left else None


def _at_the_bound(seen: Sequence[Candidate], *, goes_back: bool, may_start: bool) -> WorkerChoice | None:
    """No process may be added, so one must give up what it holds: an idle one, else a parked one, oldest first."""
    for state in (WorkerState.IDLE, WorkerState.PARKED):
        own = _oldest(seen, state, of_the_base=True) if goes_back else None
        if own is not None:
            return WorkerChoice(Way.REWOUND, own)
        other = _oldest(seen, state)
        if other is not None and may_start:
            return WorkerChoice(Way.COLD, instead=other)
    return None


def _oldest(seen: Sequence[Candidate], state: WorkerState, *, of_the_base: bool = False) -> int | None:
    """The index of the least recently used one in this state, not counting those that are spared."""
    fits = [
        index
        for index, one in enumerate(seen)
        if one.state is state and not one.spared and (one.same_base or not of_the_base)
    ]
    return min(fits, key=lambda index: seen[index].used_at) if fits else None
