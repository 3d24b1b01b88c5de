"""The states of a key, and the transitions between them."""

from enum import Enum, unique
from typing import Final

from claudegwd.transitions import Transitions


@unique
class KeyState(Enum):
    """The values are those of the status and of the store."""

    ACTIVE = "active"  # used for new conversations
    READY = "ready"
    COOLING = "cooling"  # limited by the upstream until a time
    INVALID = "invalid"  # rejected by the upstream; only a person or a test brings it back
    EXHAUSTED = "exhausted"  # out of credit; tried again after a long time
    DISABLED = "disabled"  # by the operator


@unique
class KeyEvent(Enum):
    """What can happen to a key."""

    ACTIVATED = "activated"  # it becomes the one for new conversations
    PASSED_ON = "passed_on"  # another key was activated in its place
    REFUSED = "refused"
    SPENT = "spent"
    LIMITED = "limited"
    RECOVERED = "recovered"  # its time is over
    CLEARED = "cleared"  # by a person or a test
    REPLACED = "replaced"  # another token or host under the same name
    DISABLED = "disabled"
    ENABLED = "enabled"


_S = KeyState
_E = KeyEvent

# A request may end long after its key has changed state (it was running then, or many failed together), so each state
# lists what such late news does: bad news may worsen a state, but never improves it.
TRANSITIONS: Final[Transitions[KeyState, KeyEvent]] = {
    (_S.ACTIVE, _E.PASSED_ON): _S.READY,
    (_S.ACTIVE, _E.REFUSED): _S.INVALID,
    (_S.ACTIVE, _E.SPENT): _S.EXHAUSTED,
    (_S.ACTIVE, _E.LIMITED): _S.COOLING,
    (_S.ACTIVE, _E.CLEARED): _S.ACTIVE,
    (_S.ACTIVE, _E.REPLACED): _S.ACTIVE,
    (_S.ACTIVE, _E.DISABLED): _S.DISABLED,
    (_S.READY, _E.ACTIVATED): _S.ACTIVE,
    (_S.READY, _E.REFUSED): _S.INVALID,
    (_S.READY, _E.SPENT): _S.EXHAUSTED,
    (_S.READY, _E.LIMITED): _S.COOLING,
    (_S.READY, _E.CLEARED): _S.READY,
    (_S.READY, _E.REPLACED): _S.READY,
    (_S.READY, _E.DISABLED): _S.DISABLED,
    (_S.COOLING, _E.REFUSED): _S.INVALID,
    (_S.COOLING, _E.SPENT): _S.EXHAUSTED,
    (_S.COOLING, _E.LIMITED): _S.COOLING,
    (_S.COOLING, _E.RECOVERED): _S.READY,
    (_S.COOLING, _E.CLEARED): _S.READY,
    (_S.COOLING, _E.REPLACED): _S.READY,
    (_S.COOLING, _E.DISABLED): _S.DISABLED,
    (_S.EXHAUSTED, _E.REFUSED): _S.INVALID,
    (_S.EXHAUSTED, _E.SPENT): _S.EXHAUSTED,
    (_S.EXHAUSTED, _E.LIMITED): _S.EXHAUSTED,
    (_S.EXHAUSTED, _E.RECOVERED): _S.READY,
    (_S.EXHAUSTED, _E.CLEARED): _S.READY,
    (_S.EXHAUSTED, _E.REPLACED): _S.READY,
    (_S.EXHAUSTED, _E.DISABLED): _S.DISABLED,
    (_S.INVALID, _E.REFUSED): _S.INVALID,
    (_S.INVALID, _E.SPENT): _S.INVALID,
    (_S.INVALID, _E.LIMITED): _S.INVALID,
    (_S.INVALID, _E.CLEARED): _S.READY,
    (_S.INVALID, _E.REPLACED): _S.READY,
    (_S.INVALID, _E.DISABLED): _S.DISABLED,
    (_S.DISABLED, _E.REFUSED): _S.DISABLED,
    (_S.DISABLED, _E.SPENT): _S.DISABLED,
    (_S.DISABLED, _E.LIMITED): _S.DISABLED,
    (_S.DISABLED, _E.CLEARED): _S.DISABLED,
    (_S.DISABLED, _E.REPLACED): _S.DISABLED,
    (_S.DISABLED, _E.ENABLED): _S.READY,
}

USABLE: Final = frozenset({KeyState.ACTIVE, KeyState.READY})
TIMED: Final = frozenset({KeyState.COOLING, KeyState.EXHAUSTED})
