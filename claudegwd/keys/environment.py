"""The daemon's own credentials, for when no keys are configured."""

from collections.abc import Collection

from claudegwd.keys.answers import ENVIRONMENT, Dead, NoKeys, Wait
from claudegwd.keys.entry import cooldown_after, named_reset
from claudegwd.keys.failures import FailureKind


class EnvironmentLogin:
    """The one login of an empty ring.

    It has no states: the person who mends it (logs in, pays) does so outside of us and does not tell us, so each new
    request tries it. Only within one request are its failures final, and a limit is kept to until its reset.
    """

    def __init__(self) -> None:
        self._last: FailureKind = FailureKind.AUTHENTICATION
        self._until = 0.0
        self._repeats = 0

    def choose(self, now: float, tried: Collection[str]) -> NoKeys | Wait | Dead:
        """As KeyRing.choose."""
        if self._until > now:
            return Wait(self._until, FailureKind.RATE_LIMIT)
        return Dead(self._last) if ENVIRONMENT in tried else NoKeys()

    def succeeded(self) -> None:
        """It works: forget the limit."""
        self._until = 0.0
        self._repeats = 0

    def failed(self, kind: FailureKind, now: float, reset_at: float | None, cooldown: float) -> None:
        """As KeyRing.failed."""
        self._last = kind
        if kind is FailureKind.RATE_LIMIT:
            if self._until <= now:
                self._repeats += 1
            self._until = max(self._until, named_reset(reset_at, now) or now + cooldown_after(self._repeats, cooldown))
