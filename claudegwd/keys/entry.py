"""One key of the ring with its history: state, times and counters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from claudegwd.keys.failure_words import in_words
from claudegwd.keys.failures import FAILURES, FailureKind, KeyEffect
from claudegwd.keys.key import KeyStatus, UpstreamKey
from claudegwd.keys.marks import EVENTS, KeyMark
from claudegwd.keys.states import TIMED, TRANSITIONS, USABLE, KeyEvent, KeyState
from claudegwd.transitions import after

# If the upstream names no reset time, each consecutive limit doubles the wait up to this. Anthropic's per-minute limits
# end long before, and four requests an hour do not affect the long limit of a subscription.
COOLDOWN_MAX_SECONDS: Final = 900.0
COOLDOWN_MIN_SECONDS: Final = 1.0  # applies even with cooldown_seconds = 0: a limited key is not used in a tight loop
# Credit returns when a person pays. One request an hour detects that automatically.
EXHAUSTED_SECONDS: Final = 3600.0
# The longest known limit is the weekly one of subscriptions. A later reset means milliseconds taken for seconds, or a
# clock that was set back.
RESET_MAX_SECONDS: Final = 8 * 86400.0
# Access to a model is granted by a person elsewhere, who expects it to work soon without telling us.
FORBIDDEN_SECONDS: Final = 3600.0
# The same for a key that has never produced an answer: its 404 may be caused by a wrong path in base_url as well as by
# the model, since the CLI reports both in the same words. Whoever fixes the address at the upstream should not have to
# wait.
FORBIDDEN_UNPROVEN_SECONDS: Final = 60.0
# Models come from the known list, so this is never reached in practice; it bounds the row in the store.
FORBIDDEN_MAX: Final = 64
_LOOK_AT_ADDRESS: Final = "; no model has answered with this key yet: if all are refused, check its base_url"
LAST_ERROR_MAX: Final = 360  # characters: a class, a status, and the beginning of the upstream's message

_EFFECT_EVENTS: Final[Mapping[KeyEffect, KeyEvent]] = {
    KeyEffect.INVALID: KeyEvent.REFUSED,
    KeyEffect.EXHAUSTED: KeyEvent.SPENT,
    KeyEffect.COOLING: KeyEvent.LIMITED,
}


@dataclass(frozen=True, slots=True)
class RememberedKey:
    """What the store keeps about a key. Times are seconds since the epoch; ``digest`` is UpstreamKey.digest."""

    name: str
    digest: str
    state: KeyState
    until: float = 0.0
    repeats: int = 0
    requests: int = 0
    failures: int = 0
    tokens: int = 0
    last_error: str | None = None
    last_error_at: float | None = None
    last_used: float | None = None
    forbidden: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class KeyEntry:
    """Mutable, and owned by the ring."""

    key: UpstreamKey
    state: KeyState
    until: float = 0.0
    repeats: int = 0
    requests: int = 0
    failures: int = 0
    tokens: int = 0
    last_error: str | None = None
    last_error_at: float | None = None
    last_used: float | None = None
    forbidden: dict[str, float] = field(default_factory=dict)
    proven: bool = False  # whether this token has ever had an answer from this address

    @classmethod
    def new(cls, key: UpstreamKey) -> "KeyEntry":
        """An entry without history."""
        return cls(key, KeyState.DISABLED if key.status is KeyStatus.DISABLED else KeyState.READY)

    @property
    def usable(self) -> bool:
        """Whether requests may use it."""
        return self.state in USABLE

    def comes_back(self, now: float) -> bool:
        """Whether it is usable, or will be without anyone's help."""
        return self.usable or self.state is KeyState.COOLING or (self.state in TIMED and self.until <= now)

    def allows(self, model: str | None, now: float) -> bool:
        """Whether the upstream has not recently refused it ``model``."""
        return model is None or self.forbidden.get(model, 0.0) <= now

    def fire(self, event: KeyEvent) -> None:
        """Apply one event; raises ImpossibleTransition if it cannot happen now."""
        self.state = after(TRANSITIONS, self.state, event)
        if self.state not in TIMED:
            self.until = 0.0

    def succeed(self, now: float, tokens: int, digest: str | None = None) -> None:
        """It had an answer. A late one does not lift a limit that was reported meanwhile, and one to a token that was
        replaced (``digest`` is another) is only counted."""
        self.requests += 1
        self.tokens += tokens
        self.last_used = now
        if digest not in (None, self.key.digest):
            return
        self.proven = True
        if self.usable:
            self.repeats = 0

    def fail(
        self, kind: FailureKind, now: float, *, cooldown: float, model: str | None, reset_at: float | None, error: str
    ) -> bool:
        """Record one failure. Returns whether anything but a counter changed.

        A failure that is not the key's fault counts as a request, and is kept only as the last error.
        """
        self.requests += 1
        self.last_used = now
        effect = FAILURES[kind].effect
        if effect is KeyEffect.UNCHANGED:
            if error:
                self.last_error, self.last_error_at = error[:LAST_ERROR_MAX], now
            return False
        self.failures += 1
        self.last_error = (error or in_words(kind))[:LAST_ERROR_MAX]
        self.last_error_at = now
        if effect is KeyEffect.MODEL_FORBIDDEN:
            if not self.proven and self.key.base_url:
                self.last_error = (self.last_error + _LOOK_AT_ADDRESS)[:LAST_ERROR_MAX]
            return model is not None and self._forbid(model, now)
        before = (self.state, self.until)
        self.fire(_EFFECT_EVENTS[effect])
        self._set_time(before[0], now, cooldown, named_reset(reset_at, now))
        return (self.state, self.until) != before

    def _forbid(self, model: str, now: float) -> bool:
        self.forbidden.pop(model, None)
        while len(self.forbidden) >= FORBIDDEN_MAX:
            del self.forbidden[next(iter(self.forbidden))]
        self.forbidden[model] = now + (FORBIDDEN_SECONDS if self.proven else FORBIDDEN_UNPROVEN_SECONDS)
        return True

    def _set_time(self, before: KeyState, now: float, cooldown: float, named: float | None) -> None:
        if self.state not in TIMED:
            return
        if self.state is before:
            # One of many requests that failed together: only a later reset is news. Counting each would turn a burst
            # of 200 requests into the longest cooldown.
            self.until = max(self.until, named or 0.0)
        elif self.state is KeyState.EXHAUSTED:
            self.until = named or now + EXHAUSTED_SECONDS
        else:
            self.repeats += 1
            self.until = named or now + cooldown_after(self.repeats, cooldown)

    def learn(self, mark: KeyMark, now: float) -> bool:
        """Apply what another machine has learned about it. Returns whether that is news."""
        before = (self.state, self.until)
        if mark.state is KeyState.READY:
            if self.state in TIMED or self.state is KeyState.INVALID:
                self.clear()
        elif mark.stands(now):
            self.fire(EVENTS[mark.state])
            if self.state in TIMED:
                self.until = min(max(self.until, mark.until), now + RESET_MAX_SECONDS)
        if (self.state, self.until) == before:
            return False
        if mark.state is not KeyState.READY:
            self.last_error, self.last_error_at = f"reported by {mark.by}"[:LAST_ERROR_MAX], mark.at
        return True

    def recover(self, now: float) -> bool:
        """Leave a timed state that has expired. Returns whether it did."""
        if self.state in TIMED and self.until <= now:
            self.fire(KeyEvent.RECOVERED)
            return True
        return False

    def clear(self) -> None:
        """Forget all its failures: a person or a test says that it works."""
        self.fire(KeyEvent.CLEARED)
        self.repeats = 0
        self.forbidden.clear()
        self.last_error = self.last_error_at = None

    def become(self, key: UpstreamKey) -> None:
        """Take the new configuration for this name: the state is kept for the same token, reset for another."""
        if key.digest != self.key.digest:
            self.fire(KeyEvent.REPLACED)
            self.repeats = 0
            self.forbidden.clear()
            self.proven = False
            self.last_error = self.last_error_at = None
        self.key = key
        disabled = key.status is KeyStatus.DISABLED
        if disabled and self.state is not KeyState.DISABLED:
            self.fire(KeyEvent.DISABLED)
        elif not disabled and self.state is KeyState.DISABLED:
            self.fire(KeyEvent.ENABLED)

    def remembered(self) -> RememberedKey:
        """The row for the store."""
        return RememberedKey(
            self.key.name,
            self.key.digest,
            self.state,
            self.until,
            self.repeats,
            self.requests,
            self.failures,
            self.tokens,
            self.last_error,
            self.last_error_at,
            self.last_used,
            dict(self.forbidden),
        )

    def remember(self, row: RememberedKey, now: float) -> None:
        """Continue from the last run. Counters follow the name, the state only the same token."""
        self.requests, self.failures, self.tokens = row.requests, row.failures, row.tokens
        self.last_used = row.last_used
        if row.digest != self.key.digest:
            return
        self.proven = row.tokens > 0
        self.last_error, self.last_error_at, self.repeats = row.last_error, row.last_error_at, row.repeats
        self.forbidden = {model: min(until, now + FORBIDDEN_SECONDS) for model, until in row.forbidden.items()}
        events = {KeyState.INVALID: KeyEvent.REFUSED, KeyState.EXHAUSTED: KeyEvent.SPENT}
        if row.state is KeyState.INVALID or (row.state in TIMED and row.until > now):
            self.fire(events.get(row.state, KeyEvent.LIMITED))
            if self.state in TIMED:
                self.until = min(row.until, now + RESET_MAX_SECONDS)

    def snapshot(self, now: float) -> dict[str, Any]:
        """For the status: no token, only its last four characters. Times are seconds since the epoch or None."""
        return {
            "name": self.key.name,
            "state": self.state.value,
            "kind": self.key.kind.value,
            "base_url": self.key.base_url,
            "last_four": self.key.tail,
            "cooling_until": self.until if self.state in TIMED else None,
            "last_error": self.last_error,
            "last_error_at": self.last_error_at,
            "last_used": self.last_used,
            "requests": self.requests,
            "failures": self.failures,
            "tokens": self.tokens,
            "forbidden_models": sorted(model for model, until in self.forbidden.items() if until > now),
        }


def cooldown_after(repeats: int, cooldown: float) -> float:
    """Seconds of the ``repeats``-th consecutive cooldown (1 is the first)."""
    first = max(COOLDOWN_MIN_SECONDS, cooldown)
    return min(max(first, COOLDOWN_MAX_SECONDS), first * 2.0 ** min(repeats - 1, 32))


def named_reset(reset_at: float | None, now: float) -> float | None:
    """The reset time that the upstream named, if it is in the future; bounded."""
    if reset_at is None or not reset_at > now:
        return None
    return min(reset_at, now + RESET_MAX_SECONDS)
