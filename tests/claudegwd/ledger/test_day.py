from __future__ import annotations

from claudegwd.ledger.ages import DAY
from claudegwd.ledger.day import Day, day_of
from claudegwd.ledger.entry import Line, Sums


def test_a_day_takes_its_own_and_makes_way_for_the_next() -> None:
    noon = 1_700_000_040
    start = day_of(noon)
    assert start % DAY == 0
    assert start <= noon < start + DAY
    line = Line(noon, "laptop", "k0", "sonnet", "sonnet", "/v1/messages", "warm", 200)
    day = Day(start)
    assert day.with_line(line, Sums(2, 30)) is day
    assert day.with_line(line._replace(status=499), Sums(1)) is day
    assert day.with_line(line._replace(minute=start - 60), Sums(100)) is day
    assert (day.sums.requests, day.sums.prompt, day.failed) == (3, 30, 1)
    later = day.with_line(line._replace(minute=start + DAY, status=400), Sums(1))
    assert (later.start, later.sums.requests, later.failed) == (start + DAY, 1, 1)
