"""Why there is no key for a request, and until when. Pure."""

from collections.abc import Collection
from typing import Final

from claudegwd.keys.answers import Dead, WaitForKey
from claudegwd.keys.entry import KeyEntry
from claudegwd.keys.failures import FailureKind
from claudegwd.keys.states import TIMED, KeyState

# A key that this request has already tried is available again (a person cleared it meanwhile, or its reset time passed
# at once): the request may try it again, but not in a tight loop.
TRIED_AGAIN_SECONDS: Final = 1.0


def nothing_left(entries: Collection[KeyEntry], now: float, model: str | None) -> WaitForKey | Dead:
    """What to do with a request for which none of these keys is available."""
    waits = []
    forbidden = False
    refused = any(entry.state is KeyState.INVALID for entry in entries)
    for entry in entries:
        if not entry.usable and entry.state not in TIMED:
            continue
        if not entry.allows(model, now):
            forbidden = True
        elif entry.usable:
            waits.append(WaitForKey(now + TRIED_AGAIN_SECONDS, FailureKind.UNAVAILABLE))
        else:
            spent = entry.state is KeyState.EXHAUSTED
            kind = FailureKind.BILLING if spent else FailureKind.RATE_LIMIT
            waits.append(WaitForKey(entry.until, kind, refused=spent and refused))
    if waits:
        return min(waits, key=lambda wait: wait.until)
    if forbidden:
        return Dead(FailureKind.MODEL_FORBIDDEN)
    # What is neither usable nor timed is invalid or disabled.
    return Dead(FailureKind.AUTHENTICATION, disabled=not refused)


def lack(entries: Collection[KeyEntry], now: float, model: str | None) -> WaitForKey | Dead | None:
    """Why no request could be answered now, or None if one could.

    Unlike for a waiting request, exhausted credit is Dead: hoping that somebody pays within an hour is not readiness.
    """
    alive = [entry for entry in entries if entry.comes_back(now)]
    able = [entry for entry in alive if entry.allows(model, now)]
    if able:
        # Usable keys have no `until`; for an expired limit it is in the past.
        soonest = min(entry.until for entry in able)
        return WaitForKey(soonest, FailureKind.RATE_LIMIT) if soonest > now else None
    if alive:
        return Dead(FailureKind.MODEL_FORBIDDEN)
    spent = any(entry.state is KeyState.EXHAUSTED for entry in entries)
    return Dead(FailureKind.BILLING if spent else FailureKind.AUTHENTICATION)
