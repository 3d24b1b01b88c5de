from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.limits.budget import PERIODS, Budget, BudgetError, budgets_text, moment, read_budgets, start_of

# A Saturday.
NOW = datetime(2026, 2, 28, 13, 30, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "budgets"),
    [
        ("", ()),
        ("none", ()),
        ("20usd/month", (Budget(20, "usd", "month"),)),
        (" 2.5 USD / day , 5Mtokens/week", (Budget(2.5, "usd", "day"), Budget(5_000_000, "tokens", "week"))),
        ("0.01usd/day", (Budget(0.01, "usd", "day"),)),
        ("500ktokens/day", (Budget(500_000, "tokens", "day"),)),
        ("1token/day", (Budget(1, "tokens", "day"),)),
    ],
)
def test_budgets_are_read(text: str, budgets: tuple[Budget, ...]) -> None:
    assert read_budgets(text) == budgets
    assert read_budgets(budgets_text(budgets)) == budgets


@pytest.mark.parametrize("text", ["5Mtokens/week", "1500000tokens/day", "500tokens/month", "2.5usd/day"])
def test_budgets_are_shown_as_they_were_given(text: str) -> None:
    assert budgets_text(read_budgets(text)) == text


@pytest.mark.parametrize(
    "text", ["20", "20usd", "usd/month", "-1usd/day", "20eur/month", "20usd/year", "1e3usd/day", "٣usd/day"]
)
def test_what_is_no_budget_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(BudgetError, match="use for example 20usd/month"):
        read_budgets(text)


def test_budgets_that_say_nothing_or_two_things_are_refused() -> None:
    with pytest.raises(BudgetError, match="a budget of 0"):
        read_budgets("0usd/day")
    with pytest.raises(BudgetError, match="two budgets with the same unit"):
        read_budgets("1usd/day,2usd/day")


@pytest.mark.parametrize(
    ("period", "start", "reset"),
    [
        ("day", "2026-02-28 00:00 UTC", "2026-03-01 00:00 UTC"),
        ("week", "2026-02-23 00:00 UTC", "2026-03-02 00:00 UTC"),
        ("month", "2026-02-01 00:00 UTC", "2026-03-01 00:00 UTC"),
    ],
)
def test_periods(period: str, start: str, reset: str) -> None:
    (budget,) = read_budgets(f"1usd/{period}")
    assert (moment(budget.start(NOW)), moment(budget.reset(NOW))) == (start, reset)


@given(st.floats(0, 4e9), st.sampled_from(PERIODS))
def test_each_period_ends_where_the_next_begins(now: float, period: str) -> None:
    (budget,) = read_budgets(f"1usd/{period}")
    start, reset = budget.start(now), budget.reset(now)
    assert start <= now < reset
    assert budget.start(reset) == reset
    assert budget.start(reset - 1) == start
    assert start_of("day", start) == start
