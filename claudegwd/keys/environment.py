"""The daemon's own credentials, used if no keys are configured."""

from collections.abc import Collection
from typing import Any

from claudegwd.keys.answers import ENVIRONMENT, Dead, NoKeys, WaitForKey
from claudegwd.keys.entry import cooldown_after, named_reset
from claudegwd.keys.failures import FAILURES, FailureKind, KeyEffect

# Only a person can fix these.
_FINAL = frozenset({KeyEffect.INVALID, KeyEffect.EXHAUSTED})


class EnvironmentLogin:
    """The one login of an empty ring.

    It has no states: people fix it (log in, pay) without telling us, so each new request tries it. Its failures are
    final only within one request, and a limit applies until its reset. Its last failure is remembered for people, until
    it answers or is replaced.
    """

    def __init__(self) -> None:
        self._last: FailureKind = FailureKind.AUTHENTICATION
        self._until = 0.0
        self._repeats = 0
        self._failed: tuple[FailureKind, float, str] | None = None

    def choose(self, now: float, tried: Collection[str]) -> NoKeys | WaitForKey | Dead:
        """As KeyRing.choose."""
        if self._until > now:
            return WaitForKey(self._until, FailureKind.RATE_LIMIT)
        return Dead(self._last) if ENVIRONMENT in tried else NoKeys()

    def succeeded(self) -> None:
        """It works: forget its failures."""
        self._until = 0.0
        self._repeats = 0
        self._failed = None

    def failed(self, kind: FailureKind, now: float, reset_at: float | None, cooldown: float, error: str = "") -> None:
        """As KeyRing.failed."""
        self._last = kind
        if FAILURES[kind].effect in _FINAL or kind is FailureKind.RATE_LIMIT:
            self._failed = kind, now, error or kind.value
        if kind is FailureKind.RATE_LIMIT:
            if self._until <= now:
                self._repeats += 1
            self._until = max(self._until, named_reset(reset_at, now) or now + cooldown_after(self._repeats, cooldown))

    def lack(self, now: float) -> WaitForKey | Dead | None:
        """As KeyRing.lack: what only a person can fix, judging by the last answer; a limit, until its reset."""
        if self._failed and FAILURES[self._failed[0]].effect in _FINAL:
            return Dead(self._failed[0])
        return WaitForKey(self._until, FailureKind.RATE_LIMIT) if self._until > now else None

    def snapshot(self, now: float) -> dict[str, Any] | None:
        """For the status: its last failure, if it has not answered since. Times are seconds since the epoch."""
        if self._failed is None or (self._failed[0] is FailureKind.RATE_LIMIT and self._until <= now):
            return None
        kind, at, error = self._failed
        return {"kind": kind.value, "error": error, "at": at, "until": self._until if self._until > now else None}
