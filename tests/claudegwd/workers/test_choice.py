"""Which worker is taken, case by case."""

from dataclasses import replace

import pytest

from claudegwd.workers.choice import Choice, Seen, Way, choose
from claudegwd.workers.states import WorkerState as S

SPARE, STARTING, BUSY, SETTLING = Seen(S.SPARE), Seen(S.STARTING), Seen(S.BUSY), Seen(S.SETTLING)
OWN = Seen(S.IDLE, 5, same_base=True, length=9)
OTHER = Seen(S.IDLE, 3)
PARKED = Seen(S.PARKED, 4)

# What is seen, whether there is room for one more process, and what is chosen.
WHOLE: list[tuple[list[Seen], bool, Choice | None]] = [
    ([], True, Choice(Way.COLD)),
    ([SPARE], True, Choice(Way.SPARE, 0)),
    ([SPARE, OWN], True, Choice(Way.WARM, 1)),
    ([OWN, replace(OWN, used_at=9)], True, Choice(Way.WARM, 1)),
    ([OTHER, SPARE], True, Choice(Way.SPARE, 1)),
    ([OTHER, STARTING], True, Choice(Way.COLD, 1)),
    ([OTHER, BUSY], True, Choice(Way.COLD)),
    ([OTHER, replace(OTHER, used_at=2)], False, Choice(Way.COLD, instead=1)),
    ([BUSY, SETTLING], False, None),
]
TRANSCRIPT: list[tuple[list[Seen], bool, Choice | None]] = [
    # It holds just what was said before.
    ([SPARE, replace(OWN, common=2, length=2, cut=0)], True, Choice(Way.CONTINUED, 1, 2)),
    # The client has asked again, or edited what is behind.
    ([SPARE, replace(OWN, common=3, length=4, cut=2)], True, Choice(Way.REWOUND, 1, 2)),
    # It has edited the beginning: a spare is as good, and the other conversation is left alone.
    ([SPARE, replace(OWN, common=1, length=4, cut=0)], True, Choice(Way.SPARE, 0)),
    # Results for the open calls, and then something else for them.
    ([replace(PARKED, common=4, length=4, cut=2, takes_results=True)], True, Choice(Way.PARKED, 0, 4)),
    ([replace(PARKED, common=4, length=4, cut=2)], True, Choice(Way.REWOUND, 0, 2)),
    ([replace(PARKED, common=2, length=2)], True, Choice(Way.REWOUND, 0)),
    ([replace(PARKED, common=2, length=4)], True, Choice(Way.COLD)),
    # It was left before it had answered anything.
    ([SPARE, replace(OWN, length=0)], True, Choice(Way.REWOUND, 1)),
    # Another conversation's worker holds it in vain.
    ([OWN], True, Choice(Way.COLD)),
    # At the bound one of the same base goes back to its beginning, else one makes room.
    ([OTHER, OWN], False, Choice(Way.REWOUND, 1)),
    ([OTHER, PARKED], False, Choice(Way.COLD, instead=0)),
    ([PARKED, BUSY], False, Choice(Way.COLD, instead=0)),
    ([replace(PARKED, spared=True), BUSY], False, None),
    ([SETTLING], False, None),
]


@pytest.mark.parametrize(("seen", "room", "wanted"), WHOLE)
def test_a_request_that_goes_in_whole(seen: list[Seen], room: bool, wanted: Choice | None) -> None:
    assert choose(seen, whole=True, room=room) == wanted


@pytest.mark.parametrize(("seen", "room", "wanted"), TRANSCRIPT)
def test_a_request_that_goes_on_with_a_transcript(seen: list[Seen], room: bool, wanted: Choice | None) -> None:
    assert choose(seen, whole=False, room=room) == wanted


@pytest.mark.parametrize("whole", [True, False])
def test_after_a_failure_one_that_holds_nothing_is_taken(whole: bool) -> None:
    held = replace(OWN, common=2, length=2)
    assert choose([held, SPARE], whole=whole, room=True, fresh=True) == Choice(Way.SPARE, 1)
    assert choose([held], whole=whole, room=False, fresh=True) == Choice(Way.COLD, instead=0)


@pytest.mark.parametrize("room", [True, False])
def test_while_starts_fail_nothing_is_started_and_nobody_ended_for_it(room: bool) -> None:
    assert choose([OTHER], whole=True, room=room, may_start=False) is None
    assert choose([OTHER, SPARE], whole=True, room=room, may_start=False) == Choice(Way.SPARE, 1)
    assert choose([OWN], whole=False, room=False, may_start=False) == Choice(Way.REWOUND, 0)
