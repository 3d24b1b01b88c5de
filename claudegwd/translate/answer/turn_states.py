"""The states of a turn, from the client's point of view, and the transitions between them."""

from enum import Enum
from typing import Final

from claudegwd.transitions import Transitions


class TurnState(Enum):
    """Where a turn is. In the last two it is over: anything else is the CLI settling, and produces nothing."""

    ASKED = "asked"  # no upstream message yet: a failure may still be passed on to another key
    STREAMING = "streaming"
    STOPPED = "stopped"  # the stop reason is known
    FAILED = "failed"


class TurnEvent(Enum):
    """What can happen to it."""

    BEGAN = "the start of a message"
    PART = "a part of a message"
    ENDED = "a stop reason"
    CLOSED = "the end of a message"  # without a stop reason before it
    BROKE = "a failure"  # a result line of an error, or the loss of the process


TRANSITIONS: Final[Transitions[TurnState, TurnEvent]] = {
    (TurnState.ASKED, TurnEvent.BEGAN): TurnState.STREAMING,
    (TurnState.ASKED, TurnEvent.BROKE): TurnState.FAILED,
    # The end of the previous message: tool results may be handed in before the CLI has written its last line.
    (TurnState.ASKED, TurnEvent.CLOSED): TurnState.ASKED,
    (TurnState.STREAMING, TurnEvent.PART): TurnState.STREAMING,
    (TurnState.STREAMING, TurnEvent.ENDED): TurnState.STOPPED,
    # The answer broke off. After its first whole block the CLI would now ask again.
    (TurnState.STREAMING, TurnEvent.CLOSED): TurnState.FAILED,
    (TurnState.STREAMING, TurnEvent.BROKE): TurnState.FAILED,
}


def is_over(state: TurnState) -> bool:
    """Whether the turn has had its terminal output."""
    return state in (TurnState.STOPPED, TurnState.FAILED)
