"""The states of a key (its table is tested with those of the other machines)."""

import pytest

from claudegwd.keys.states import TRANSITIONS, KeyEvent, KeyState
from claudegwd.transitions import after


@pytest.mark.parametrize("state", KeyState)
@pytest.mark.parametrize("event", [KeyEvent.REFUSED, KeyEvent.SPENT, KeyEvent.LIMITED])
def test_late_bad_news_is_possible_in_every_state(state: KeyState, event: KeyEvent) -> None:
    assert after(TRANSITIONS, state, event) not in (KeyState.ACTIVE, KeyState.READY)


def test_only_a_person_brings_an_invalid_key_back() -> None:
    assert _leaving(KeyState.INVALID) == {KeyEvent.CLEARED, KeyEvent.REPLACED, KeyEvent.DISABLED}


def test_only_the_operator_brings_a_disabled_key_back() -> None:
    assert _leaving(KeyState.DISABLED) == {KeyEvent.ENABLED}


def _leaving(state: KeyState) -> set[KeyEvent]:
    return {event for (before, event), following in TRANSITIONS.items() if before is state is not following}
