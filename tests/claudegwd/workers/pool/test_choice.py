"""Which worker is taken, case by case."""

import pytest

from claudegwd.workers.pool.choice import Candidate, Way, WorkerChoice, choose
from claudegwd.workers.worker.states import WorkerState as S

SPARE, STARTING, BUSY, SETTLING = Candidate(S.SPARE), Candidate(S.STARTING), Candidate(S.BUSY), Candidate(S.SETTLING)
OWN = Candidate(S.IDLE, 5, same_base=True, length=9)
OTHER = Candidate(S.IDLE, 3)
PARKED = Candidate(S.PARKED, 4)

# What is seen, whether there is room for one more process, and what is chosen.
WHOLE: list[tuple[list[Candidate], bool, WorkerChoice | None]] = [
    ([], True, WorkerChoice(Way.COLD)),
    ([SPARE], True, WorkerChoice(Way.SPARE, 0)),
    ([SPARE, OWN], True, WorkerChoice(Way.WARM, 1)),
    ([OWN, OWN._replace(used_at=9)], True, WorkerChoice(Way.WARM, 1)),
    ([OTHER, SPARE], True, WorkerChoice(Way.SPARE, 1)),
    ([OTHER, STARTING], True, WorkerChoice(Way.COLD, 1)),
    ([OTHER, BUSY], True, WorkerChoice(Way.COLD)),
    ([OTHER, OTHER._replace(used_at=2)], False, WorkerChoice(Way.COLD, instead=1)),
    ([BUSY, SETTLING], False, None),
]
TRANSCRIPT: list[tuple[list[Candidate], bool, WorkerChoice | None]] = [
    # It holds just what was said before.
    ([SPARE, OWN._replace(common=2, length=2, cut=0)], True, WorkerChoice(Way.CONTINUED, 1, 2)),
    # The client has asked again, or edited what is behind.
    ([SPARE, OWN._replace(common=3, length=4, cut=2)], True, WorkerChoice(Way.REWOUND, 1, 2)),
    # It has edited the beginning: a spare is as good, and the other conversation is left alone.
    ([SPARE, OWN._replace(common=1, length=4, cut=0)], True, WorkerChoice(Way.SPARE, 0)),
    # Results for the open calls, and then something else for them.
    ([PARKED._replace(common=4, length=4, cut=2, takes_results=True)], True, WorkerChoice(Way.PARKED, 0, 4)),
    ([PARKED._replace(common=4, length=4, cut=2)], True, WorkerChoice(Way.REWOUND, 0, 2)),
    ([PARKED._replace(common=2, length=2)], True, WorkerChoice(Way.REWOUND, 0)),
    ([PARKED._replace(common=2, length=4)], True, WorkerChoice(Way.COLD)),
    # It was left before it had answered anything.
    ([SPARE, OWN._replace(length=0)], True, WorkerChoice(Way.REWOUND, 1)),
    # Another conversation's worker holds it in vain.
    ([OWN], True, WorkerChoice(Way.COLD)),
    # At the bound one of the same base goes back to its beginning, else one makes room.
    ([OTHER, OWN], False, WorkerChoice(Way.REWOUND, 1)),
    ([OTHER, PARKED], False, WorkerChoice(Way.COLD, instead=0)),
    ([PARKED, BUSY], False, WorkerChoice(Way.COLD, instead=0)),
    ([PARKED._replace(spared=True), BUSY], False, None),
    ([SETTLING], False, None),
]


@pytest.mark.parametrize(("seen", "room", "wanted"), WHOLE)
def test_a_request_that_goes_in_whole(seen: list[Candidate], room: bool, wanted: WorkerChoice | None) -> None:
    assert choose(seen, whole=True, room=room) == wanted


@pytest.mark.parametrize(("seen", "room", "wanted"), TRANSCRIPT)
def test_a_request_that_goes_on_with_a_transcript(
    seen: list[Candidate], room: bool, wanted: WorkerChoice | None
) -> None:
    assert choose(seen, whole=False, room=room) == wanted


@pytest.mark.parametrize("whole", [True, False])
def test_after_a_failure_one_that_holds_nothing_is_taken(whole: bool) -> None:
    held = OWN._replace(common=2, length=2)
    assert choose([held, SPARE], whole=whole, room=True, fresh=True) == WorkerChoice(Way.SPARE, 1)
    assert choose([held], whole=whole, room=False, fresh=True) == WorkerChoice(Way.COLD, instead=0)


@pytest.mark.parametrize("room", [True, False])
def test_while_starts_fail_nothing_is_started_and_nobody_ended_for_it(room: bool) -> None:
    assert choose([OTHER], whole=True, room=room, may_start=False) is None
    assert choose([OTHER, SPARE], whole=True, room=room, may_start=False) == WorkerChoice(Way.SPARE, 1)
    assert choose([OWN], whole=False, room=room, may_start=False) == WorkerChoice(Way.REWOUND, 0)
