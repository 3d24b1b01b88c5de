"""The common form of all state machines here.

The states are an Enum, the events are another, and a table lists the next state for each pair that can occur:
`TRANSITIONS`, in a module that contains nothing else except the bounds of the states. `after` looks it up.

- All transitions can be seen at a glance, and the tables in the documentation are generated from them.
- A pair that is not in the table raises an error that names both: a wrong event is detected where it occurs, not by
  what it breaks later. An event that is ignored in a state is listed as a pair that stays in it.
- The owner takes an event and assigns the result of `after`. Other code may read the state; it never sets it.
- Something without a state of its own (a derived value, a flag that is set once) is not a state machine and needs no
  table.
"""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

State = TypeVar("State", bound=Enum)
Event = TypeVar("Event", bound=Enum)

Transitions = Mapping[tuple[State, Event], State]


class ImpossibleTransition(Exception):  # noqa: N818 - it names what was asked for
    """The event cannot happen in this state: a fault of ours, or of a process that does not keep to its protocol."""

    def __init__(self, state: Enum, event: Enum) -> None:
        super().__init__(f"cannot take {event.value} in state {state.value}")
        self.state = state
        self.event = event


def after(table: Transitions[State, Event], state: State, event: Event) -> State:
    """The state that follows. Raises ImpossibleTransition for a pair that is not in the table."""
    try:
        return table[state, event]
    except KeyError:
        raise ImpossibleTransition(state, event) from None
