"""The same totals for Prometheus, since the daemon's start: by client, upstream key and model. Pure.

Their number is bounded: a gateway with thousands of clients must not produce thousands of series of each kind.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

from claudegwd.ledger.entry import FAILED, Line, Sums

# Some 20 numbers each: at most 4,000 lines per scrape, a few hundred kilobytes.
SERIES_MAX: Final = 200
OTHER: Final = "(other)"
_OTHERS: Final = (OTHER, OTHER, OTHER)

# Upper bounds, in seconds, for the time to the first token.
FIRST_TOKEN_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)

Place = tuple[str, str, str]  # client, key, model


@dataclass(slots=True)
class Total:
    """What one place has used."""

    sums: Sums = field(default_factory=Sums)
    failed: int = 0
    first_tokens: list[int] = field(default_factory=lambda: [0] * (len(FIRST_TOKEN_SECONDS) + 1))  # not cumulative


class Series:
    """Sums by place. Places beyond the first SERIES_MAX share one."""

    def __init__(self) -> None:
        self.totals: dict[Place, Total] = {}

    def add(self, line: Line, sums: Sums) -> None:
        """Add a line."""
        place = (line.client, line.key, line.model)
        total = self.totals.get(place)
        if total is None:
            if len(self.totals) >= SERIES_MAX:
                place = _OTHERS
            total = self.totals.setdefault(place, Total())
        total.sums.add(sums)
        if line.status >= FAILED:
            total.failed += sums.requests
        if sums.firsts:
            total.first_tokens[bisect_left(FIRST_TOKEN_SECONDS, sums.first_ms / 1000)] += 1
