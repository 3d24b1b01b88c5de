"""The table of a turn's states: every pair."""

from itertools import product

import pytest

from claudegwd.translate.turn_states import TurnError, TurnEvent, TurnState, after, is_over

LISTED = {
    (TurnState.ASKED, TurnEvent.BEGAN): TurnState.STREAMING,
    (TurnState.ASKED, TurnEvent.BROKE): TurnState.FAILED,
    (TurnState.ASKED, TurnEvent.CLOSED): TurnState.ASKED,
    (TurnState.STREAMING, TurnEvent.PART): TurnState.STREAMING,
    (TurnState.STREAMING, TurnEvent.ENDED): TurnState.STOPPED,
    (TurnState.STREAMING, TurnEvent.CLOSED): TurnState.FAILED,
    (TurnState.STREAMING, TurnEvent.BROKE): TurnState.FAILED,
}


@pytest.mark.parametrize(("state", "event"), list(product(TurnState, TurnEvent)))
def test_every_pair(state: TurnState, event: TurnEvent) -> None:
    if (state, event) in LISTED:
        assert after(state, event) is LISTED[state, event]
        return
    with pytest.raises(TurnError) as caught:
        after(state, event)
    assert str(caught.value) == f"cannot take {event.value} in state {state.value}"


def test_what_is_over() -> None:
    assert {state for state in TurnState if is_over(state)} == {TurnState.STOPPED, TurnState.FAILED}
