from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.limits.prices import MODELS_MAX, Prices, heaviest, weight

TOKENS = st.integers(0, 100_000)


def cost(plain: int, out: int, cached: int, written: int) -> float:
    """By a price list: 3 dollars a million, 15, 0.3 and 3.75."""
    return (plain * 3 + out * 15 + cached * 0.3 + written * 3.75) / 1e6


@given(st.tuples(TOKENS, TOKENS, TOKENS, TOKENS).filter(any), st.tuples(TOKENS, TOKENS, TOKENS, TOKENS))
def test_one_answer_tells_the_price_of_all(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    prices = Prices()
    assert prices.cost("sonnet", 1) is None
    for plain, out, cached, written in (one,):
        prices.learn("sonnet", weight(plain + cached + written, out, cached, written), cost(*one))
    plain, out, cached, written = other
    heavy = weight(plain + cached + written, out, cached, written)
    assert prices.cost("sonnet", heavy) == pytest.approx(cost(*other))
    assert heavy <= heaviest(plain + cached + written, out) + 1e-6
    assert prices.cost("opus", heavy) is None


def test_what_cost_nothing_teaches_nothing() -> None:
    prices = Prices()
    prices.learn("sonnet", 0, 1.0)
    prices.learn("sonnet", 100, 0.0)
    assert prices.cost("sonnet", 1) is None


def test_models_are_bounded() -> None:
    prices = Prices()
    for number in range(MODELS_MAX + 1):
        prices.learn(f"model{number}", 1, 1)
    assert prices.cost(f"model{MODELS_MAX - 1}", 1) == 1
    assert prices.cost(f"model{MODELS_MAX}", 1) is None
