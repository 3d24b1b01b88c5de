"""The tables of all state machines: every pair is listed, or an error that names both."""

from enum import Enum
from itertools import product
from typing import Any

import pytest

from claudegwd.gateway import daemon_states
from claudegwd.gateway.daemon_states import DaemonEvent, DaemonState
from claudegwd.keys import states as key_states
from claudegwd.keys.states import KeyEvent, KeyState
from claudegwd.transitions import ImpossibleTransition, Transitions, after
from claudegwd.translate.answer import turn_states
from claudegwd.translate.answer.turn_states import TurnEvent, TurnState
from claudegwd.workers.worker import states as worker_states
from claudegwd.workers.worker.states import WorkerEvent, WorkerState

MACHINES: list[tuple[Transitions[Any, Any], type[Enum], type[Enum]]] = [
    (daemon_states.TRANSITIONS, DaemonState, DaemonEvent),
    (key_states.TRANSITIONS, KeyState, KeyEvent),
    (turn_states.TRANSITIONS, TurnState, TurnEvent),
    (worker_states.TRANSITIONS, WorkerState, WorkerEvent),
]


@pytest.mark.parametrize(("table", "states", "events"), MACHINES)
def test_every_pair_is_listed_or_refused(table: Transitions[Any, Any], states: type[Enum], events: type[Enum]) -> None:
    for state, event in product(states, events):
        if (state, event) in table:
            assert after(table, state, event) is table[state, event]
            continue
        with pytest.raises(ImpossibleTransition) as caught:
            after(table, state, event)
        assert str(caught.value) == f"cannot take {event.value} in state {state.value}"
        assert (caught.value.state, caught.value.event) == (state, event)


@pytest.mark.parametrize(("table", "states", "events"), MACHINES)
def test_every_state_can_be_reached_and_every_event_happens(
    table: Transitions[Any, Any], states: type[Enum], events: type[Enum]
) -> None:
    assert {event for _, event in table} == set(events)
    begins = {next(iter(states))} if states is not KeyState else {KeyState.ACTIVE, KeyState.READY, KeyState.DISABLED}
    assert begins | set(table.values()) == set(states)
