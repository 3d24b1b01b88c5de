"""Today's usage, for the status, without a query to the disk. Pure."""

from dataclasses import dataclass, field

from claudegwd.ledger.ages import DAY
from claudegwd.ledger.entry import FAILED, Line, Sums


def day_of(moment: float) -> int:
    """The start of the UTC day of a moment; both in seconds since the epoch."""
    return int(moment // DAY) * DAY


@dataclass(slots=True)
class Day:
    """The sums of the day that starts at `start`, and how many of its requests failed."""

    start: int
    sums: Sums = field(default_factory=Sums)
    failed: int = 0

    def with_line(self, line: Line, sums: Sums) -> "Day":
        """The day including this line; a new one if the line is of a later day. Lines of an earlier day are ignored."""
        day = self if line.minute < self.start + DAY else Day(day_of(line.minute))
        if line.minute >= day.start:
            day.sums.add(sums)
            day.failed += sums.requests * (line.status >= FAILED)
        return day
