from __future__ import annotations

import pytest

from claudegwd.ledger.ages import DAY, DAYS_KEPT_SECONDS, HOUR, MINUTE, cuts

NOW = 1_700_000_123.0


@pytest.mark.parametrize("sooner", range(5))
def test_only_whole_hours_and_days_are_joined(sooner: int) -> None:
    minutes, hours, days = cuts(NOW, sooner)
    assert (minutes.grain, minutes.into, minutes.before % HOUR) == (MINUTE, HOUR, 0)
    assert (hours.grain, hours.into, hours.before % DAY) == (HOUR, DAY, 0)
    assert (days.grain, days.into, days.before % DAY) == (DAY, 0, 0)
    assert NOW - days.before < DAYS_KEPT_SECONDS + DAY


def test_where_there_is_too_much_it_is_joined_sooner() -> None:
    plain, sooner = cuts(NOW), cuts(NOW, 1)
    assert sooner[0].before > plain[0].before
    assert sooner[1].before > plain[1].before
    assert sooner[2] == plain[2]
