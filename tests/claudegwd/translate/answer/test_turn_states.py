"""The states of a turn (its table is tested with those of the other machines)."""

from claudegwd.translate.answer.turn_states import TRANSITIONS, TurnState, is_over


def test_what_is_over() -> None:
    assert {state for state in TurnState if is_over(state)} == {TurnState.STOPPED, TurnState.FAILED}


def test_nothing_leaves_what_is_over() -> None:
    assert not [state for state, _ in TRANSITIONS if is_over(state)]
