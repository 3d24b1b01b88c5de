"""The transition table of a key."""

import pytest

from claudegwd.keys.states import TRANSITIONS, ImpossibleTransition, KeyEvent, KeyState, step


def test_every_state_has_a_row() -> None:
    assert set(TRANSITIONS) == set(KeyState)


@pytest.mark.parametrize("state", KeyState)
@pytest.mark.parametrize("event", KeyEvent)
def test_an_unlisted_pair_names_state_and_event(state: KeyState, event: KeyEvent) -> None:
    if event in TRANSITIONS[state]:
        assert step(state, event) is TRANSITIONS[state][event]
    else:
        with pytest.raises(ImpossibleTransition) as caught:
            step(state, event)
        assert state.value in str(caught.value)
        assert event.value in str(caught.value)


@pytest.mark.parametrize("state", KeyState)
@pytest.mark.parametrize("event", [KeyEvent.REFUSED, KeyEvent.SPENT, KeyEvent.LIMITED])
def test_late_bad_news_is_possible_in_every_state(state: KeyState, event: KeyEvent) -> None:
    assert step(state, event) not in (KeyState.ACTIVE, KeyState.READY)


def test_only_a_person_brings_an_invalid_key_back() -> None:
    back = {event for event, after in TRANSITIONS[KeyState.INVALID].items() if after is KeyState.READY}
    assert back == {KeyEvent.CLEARED, KeyEvent.REPLACED}


def test_only_the_operator_brings_a_disabled_key_back() -> None:
    assert {event for event, after in TRANSITIONS[KeyState.DISABLED].items() if after is not KeyState.DISABLED} == {
        KeyEvent.ENABLED
    }
