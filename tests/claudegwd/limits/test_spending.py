from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.limits.budget import Budget, BudgetReached, read_budgets
from claudegwd.limits.elsewhere import MachineSpent, Sum
from claudegwd.limits.spending import Reservation, Spending
from claudegwd.openai_api.errors import RateLimitExceeded

NOW = 1_700_000_000.0
DAY = 86_400.0
BUDGETS = read_budgets("10usd/day,1000tokens/month")


def reached(spending: Spending, budgets: tuple[Budget, ...] = BUDGETS, now: float = NOW) -> BudgetReached:
    with pytest.raises(BudgetReached) as refused:
        spending.reserve("laptop", budgets, "sonnet", 1, 1, now)
    return refused.value


def test_without_budgets_nothing_is_asked() -> None:
    spending = Spending()
    spending.add("laptop", NOW, 1e9, 1e9)
    spending.reserve("laptop", (), "sonnet", 1, 1, NOW).end()


def test_a_budget_that_is_used_up_refuses_until_its_reset() -> None:
    spending = Spending()
    told: list[tuple[str, str, float]] = []
    spending.on_reached = lambda client, budget, reset: told.append((client, str(budget), reset))
    spending.add("laptop", NOW, 10.0, 5)
    spending.add("phone", NOW, 99.0, 5)
    error = reached(spending)
    reset = BUDGETS[0].reset(NOW)
    assert (error.status, error.code, error.type) == (429, "insufficient_quota", "insufficient_quota")
    assert "10usd/day" in error.message
    assert "2023-11-15 00:00 UTC" in error.message
    assert error.retry_after == reset - NOW
    assert error.headers()["x-should-retry"] == "false"
    reached(spending)
    assert told == [("laptop", "10usd/day", reset)], "once for each window"
    spending.reserve("laptop", BUDGETS, "sonnet", 1, 1, reset).end()
    spending.add("laptop", reset, 10.0, 0)
    reached(spending, now=reset)
    assert len(told) == 2


def test_it_is_told_by_the_answer_that_reaches_it_and_by_no_other() -> None:
    spending = Spending()
    spending.budgets_of = {"laptop": BUDGETS}.get  # type: ignore[assignment]  # nobody else asks here
    told: list[tuple[str, float]] = []
    spending.on_reached = lambda client, budget, reset: told.append((str(budget), reset))
    day, month = (budget.reset(NOW) for budget in BUDGETS)
    for usd, tokens, so_far in (
        (9.0, 500.0, []),
        (1.0, 0.0, [("10usd/day", day)]),
        (1.0, 499.0, [("10usd/day", day)]),
        (0.0, 1.0, [("10usd/day", day), ("1000tokens/month", month)]),
        (5.0, 5.0, [("10usd/day", day), ("1000tokens/month", month)]),
    ):
        spending.add("laptop", NOW, usd, tokens)
        assert told == so_far
    reached(spending)
    spending.add("laptop", NOW + DAY, 10.0, 0)
    assert len(told) == 3


def test_tokens_of_a_month() -> None:
    spending = Spending()
    spending.add("laptop", NOW, 0.0, 999)
    spending.reserve("laptop", BUDGETS, "sonnet", 1, 1, NOW).end()
    spending.add("laptop", NOW, 0.0, 1)
    assert "1000tokens/month" in reached(spending).message
    assert "1000tokens/month" in reached(spending, now=NOW + DAY).message


def test_a_clock_that_is_set_back_finds_what_was_spent_by_then() -> None:
    spending = Spending()
    spending.add("laptop", NOW, 10.0, 0)
    spending.add("laptop", NOW + DAY, 1.0, 0)
    assert spending.spent("laptop", BUDGETS[0], NOW + DAY) == 1.0
    assert spending.spent("laptop", BUDGETS[0], NOW) == 10.0


def test_what_was_spent_before_the_start_counts() -> None:
    spending = Spending()
    spending.load("day", BUDGETS[0].start(NOW), [("laptop", 10.0, 5)])
    reached(spending)


def test_a_warning_from_four_fifths_on() -> None:
    spending = Spending()
    spending.add("laptop", NOW, 7.9, 100)
    assert spending.warning("laptop", BUDGETS, NOW) == ""
    spending.add("laptop", NOW, 0.4, 0)
    assert spending.warning("laptop", BUDGETS, NOW) == "83% of 10usd/day used; resets 2023-11-15 00:00 UTC"
    assert spending.warning("laptop", (), NOW) == ""


@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=1, max_size=30),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_those_side_by_side_overshoot_by_one_answer_at_the_most(
    requests: list[tuple[int, int]], priced: bool, dice: object
) -> None:
    """Every request uses all that it may; they end in any order."""
    spending = Spending()
    budgets = read_budgets("1000tokens/day,0.5usd/day")
    if priced:
        spending.prices.learn("sonnet", 1000, 1.0)
    running: list[tuple[Reservation, float, float]] = []
    largest = (0.0, 0.0)
    for prompt, answer in requests:
        try:
            held = spending.reserve("laptop", budgets, "sonnet", prompt, answer, NOW)
        except RateLimitExceeded:
            pass
        else:
            tokens, usd = float(prompt + answer), (prompt * 1.25 + answer * 5) / 1000
            largest = max(largest[0], tokens), max(largest[1], usd)
            running.append((held, usd, tokens))
        if running and dice.random() < 0.3:  # type: ignore[attr-defined]  # Hypothesis' Random
            end(spending, running.pop(dice.randrange(len(running))))  # type: ignore[attr-defined]  # the same
    for each in running:
        end(spending, each)
    assert spending.spent("laptop", budgets[0], NOW) <= 1000 + largest[0]
    assert spending.spent("laptop", budgets[1], NOW) <= 0.5 + largest[1] + 1e-9


def end(spending: Spending, each: tuple[Reservation, float, float]) -> None:
    held, usd, tokens = each
    spending.add("laptop", NOW, usd, tokens)
    held.end()
    held.end()


def test_what_is_held_is_refused_for_a_moment_only() -> None:
    spending = Spending()
    held = spending.reserve("laptop", BUDGETS, "sonnet", 1, 1, NOW)  # of an unknown price: all that is left
    with pytest.raises(RateLimitExceeded) as refused:
        spending.reserve("laptop", BUDGETS, "sonnet", 1, 1, NOW)
    assert (refused.value.code, refused.value.retry_after) == ("rate_limit_exceeded", 1.0)
    assert "x-should-retry" not in refused.value.headers()
    spending.reserve("phone", BUDGETS, "sonnet", 1, 1, NOW).end()
    held.end()
    spending.reserve("laptop", BUDGETS, "sonnet", 1, 1, NOW).end()


def elsewhere(usd: float, tokens: float = 0.0, held: float = 0.0) -> MachineSpent:
    """What another machine has spent of the budgets."""
    day, month = BUDGETS[0].start(NOW), BUDGETS[1].start(NOW)
    return MachineSpent(NOW, {"day": Sum(day, usd, tokens), "month": Sum(month, usd, tokens)}, held, 0.0)


def test_what_other_machines_have_spent_and_hold_counts() -> None:
    spending = Spending()
    spending.elsewhere.put("laptop", "m2", elsewhere(9.0))
    spending.add("laptop", NOW, 0.5, 0)
    assert spending.spent("laptop", BUDGETS[0], NOW) == 9.5
    spending.reserve("laptop", BUDGETS, "sonnet", 1, 1, NOW).end()
    spending.elsewhere.put("laptop", "m2", elsewhere(9.0, held=0.5))
    with pytest.raises(RateLimitExceeded, match="is reserved for its running requests"):
        spending.reserve("laptop", BUDGETS, "sonnet", 1, 1, NOW)
    told: list[str] = []
    spending.on_reached = lambda client, *_: told.append(client)
    spending.budgets_of = lambda _: BUDGETS
    spending.add("laptop", NOW, 0.5, 0)
    assert told == ["laptop"]
    reached(spending)


def test_what_is_said_to_the_others_is_all_of_ones_own_and_nothing_of_theirs() -> None:
    spending = Spending()
    changed: list[str] = []
    spending.on_spent = changed.append
    spending.elsewhere.put("laptop", "m2", elsewhere(3.0))
    spending.add("laptop", NOW, 2.0, 20)
    held = spending.reserve("laptop", BUDGETS, "sonnet", 3, 4, NOW)
    said = spending.said("laptop", NOW)
    assert said.spent("day", BUDGETS[0].start(NOW), "usd") == 2.0
    assert said.spent("month", BUDGETS[1].start(NOW), "tokens") == 20.0
    assert said.held("tokens", NOW) == 7.0
    assert spending.holding() == ["laptop"]
    held.end()
    held.end()
    assert spending.holding() == []
    assert changed == ["laptop"] * 3


def test_rounding_errors_are_held_by_nobody() -> None:
    spending = Spending()
    spending.prices.learn("sonnet", 1000, 0.1)
    for held in [spending.reserve("laptop", BUDGETS[:1], "sonnet", size, 0, NOW) for size in (1000, 3000, 700)]:
        held.end()
    assert spending.holding() == []


def test_what_a_machine_has_said_before_its_restart_counts_if_it_was_more() -> None:
    spending = Spending()
    spending.add("laptop", NOW, 2.0, 20)
    spending.raise_to("laptop", elsewhere(9.0, 5.0), NOW)
    assert spending.spent("laptop", BUDGETS[0], NOW) == 9.0
    assert spending.spent("laptop", BUDGETS[1], NOW) == 20.0
    spending.raise_to("laptop", elsewhere(99.0), NOW + DAY)  # of another day
    assert spending.spent("laptop", BUDGETS[0], NOW + DAY) == 0.0


def test_while_the_others_cannot_be_asked_a_share_of_what_was_left_may_be_spent() -> None:
    spending = Spending()
    spending.add("laptop", NOW, 2.0, 0)
    spending.share = lambda: 0.25
    spending.reserve("laptop", BUDGETS, "sonnet", 1, 1, NOW).end()
    spending.add("laptop", NOW, 1.9, 0)
    spending.reserve("laptop", BUDGETS, "sonnet", 1, 1, NOW).end()
    spending.add("laptop", NOW, 0.1, 0)  # a quarter of eight
    with pytest.raises(RateLimitExceeded, match="the shared store is unavailable") as refused:
        spending.reserve("laptop", BUDGETS, "sonnet", 1, 1, NOW)
    assert not isinstance(refused.value, BudgetReached)
    spending.share = lambda: 1.0
    spending.reserve("laptop", BUDGETS, "sonnet", 1, 1, NOW).end()


def test_a_share_granted_in_a_window_that_is_over_is_forgotten() -> None:
    spending = Spending()
    spending.share = lambda: 0.25
    for day in range(3):
        spending.reserve("laptop", BUDGETS, "sonnet", 1, 1, NOW + day * DAY).end()
        assert len(spending._granted) == len(BUDGETS)
