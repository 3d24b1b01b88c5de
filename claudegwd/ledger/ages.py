"""How much detail is kept of usage as it ages. Pure: the time is an argument.

Days are UTC: a daemon that moves between time zones must not count an hour twice.
"""

from typing import Final, NamedTuple

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400

# By the minute for as long as anyone investigates what happened yesterday.
MINUTES_KEPT_SECONDS: Final = 2 * DAY
# By the hour for the month that an invoice covers.
HOURS_KEPT_SECONDS: Final = 35 * DAY
# By the day for a year, and the month in which people review it.
DAYS_KEPT_SECONDS: Final = 400 * DAY
# About 14 MB, which are summed in a tenth of a second. If there are more (hundreds of clients that use several keys and
# models every day), rows are aggregated earlier than the times above say.
ROWS_MAX: Final = 120_000


class Cut(NamedTuple):
    """Rows of `grain` seconds that begin before `before` become rows of `into` seconds; 0: they are deleted."""

    grain: int
    before: int
    into: int


def cuts(now: float, sooner: int = 0) -> tuple[Cut, ...]:
    """What to join now. `sooner`: how often to halve the times, while there are too many rows."""
    return (
        _cut(now, MINUTE, MINUTES_KEPT_SECONDS >> sooner, HOUR),
        _cut(now, HOUR, HOURS_KEPT_SECONDS >> sooner, DAY),
        Cut(DAY, _floor(now - DAYS_KEPT_SECONDS, DAY), 0),
    )


def _cut(now: float, grain: int, kept: int, into: int) -> Cut:
    # Only whole rows: half an hour joined today would be joined with its other half tomorrow.
    return Cut(grain, _floor(now - kept, into), into)


def _floor(moment: float, grain: int) -> int:
    return int(moment // grain) * grain
