from __future__ import annotations

import pytest

from claudegwd.ledger.entry import SUMS, Sums, minute_of


def test_every_sum_is_added() -> None:
    one = Sums(*range(1, len(SUMS) + 1))
    one.add(Sums(*range(10, 10 * len(SUMS) + 1, 10)))
    assert one == Sums(*range(11, 11 * len(SUMS) + 1, 11))


@pytest.mark.parametrize(("moment", "minute"), [(0.0, 0), (59.9, 0), (60.0, 60), (1_700_000_019.5, 1_699_999_980)])
def test_the_minute_of_a_moment(moment: float, minute: int) -> None:
    assert minute_of(moment) == minute
