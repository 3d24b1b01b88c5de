"""The one shape of every state machine here.

What a thing can be is an Enum, what can happen to it another one, and a table says which state follows each pair that
can occur: `TRANSITIONS`, in a module that holds nothing else but the bounds of the states. `after` looks it up.

- All that can happen is seen at once, and the tables in the documentation are written from it.
- A pair that is not in the table is an error that names both: a wrong event is found where it happens, and not by what
  it has broken later. What may be ignored in a state is written down as a pair that stays in it.
- Who owns the thing takes an event and assigns what `after` gives. Others ask; nobody sets a state.
- What has no state of its own (an answer that is derived, a flag that is set once) is no machine and needs no table.
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
