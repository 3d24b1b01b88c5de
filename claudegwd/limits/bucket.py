"""A token bucket, and durations in OpenAI's format. Pure: the clock (seconds, monotonic) is an argument."""

from dataclasses import dataclass
from math import ceil
from typing import Final

WINDOW_SECONDS: Final = 60.0  # every limit is per minute


@dataclass(slots=True)
class Bucket:
    """``capacity`` units per minute, all of them at once if unused. The level may be negative: a debt."""

    capacity: float
    level: float
    updated: float

    @classmethod
    def full(cls, capacity: float, now: float) -> "Bucket":
        """A bucket from which nothing was taken."""
        return cls(capacity, capacity, now)

    def refill(self, now: float) -> None:
        """Update the level to ``now``. If the clock goes back, nothing changes."""
        if now > self.updated:
            self.level = min(self.capacity, self.level + (now - self.updated) * self.capacity / WINDOW_SECONDS)
            self.updated = now

    def wait(self, units: float, now: float) -> float:
        """Seconds until ``units`` can be taken; 0 if they can now. More than the capacity counts as all of it."""
        self.refill(now)
        missing = min(units, self.capacity) - self.level
        # Rounding errors after waiting exactly that long must not cause another refusal.
        return missing * WINDOW_SECONDS / self.capacity if missing > 1e-9 * self.capacity else 0.0

    def take(self, units: float) -> None:
        """Take ``units`` after ``wait`` returned 0. Negative units are given back."""
        self.level = min(self.capacity, self.level - units)

    def resize(self, capacity: float, now: float) -> None:
        """Change the limit; the same share of it is left."""
        self.refill(now)
        self.level *= capacity / self.capacity
        self.capacity = capacity

    def remaining(self, now: float) -> int:
        """Whole units that can be taken now."""
        self.refill(now)
        return max(0, int(self.level + 1e-9 * self.capacity))

    def reset(self, now: float) -> float:
        """Seconds until it is full."""
        self.refill(now)
        return (self.capacity - self.level) * WINDOW_SECONDS / self.capacity


def duration(seconds: float) -> str:
    """As in ``x-ratelimit-reset-*``: ``12ms``, ``1s``, ``8.64s``, ``6m0s``, ``1h0m0s``; rounded up to milliseconds."""
    milliseconds = ceil(round(seconds * 1000, 3))
    if milliseconds <= 0:
        return "0s"
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    whole, rest = divmod(milliseconds, 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{second}.{rest:03}".rstrip("0").rstrip(".") if rest else str(second)
    if hours:
        return f"{hours}h{minute}m{text}s"
    return f"{minute}m{text}s" if minute else f"{text}s"
