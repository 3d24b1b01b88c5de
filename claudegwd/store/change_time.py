"""When a change was made, as other machines compare it: of two changes to one thing, the later one counts. Pure."""

from typing import Final

# Each change is later than the one before, even if that one was made by a clock that is ahead, or ours was set back.
CHANGE_SECONDS: Final = 0.001


def next_change(now: float, before: float) -> float:
    """The time of a change that is made now. `before`: that of the change that it follows."""
    return max(now, before + CHANGE_SECONDS)
