"""The token bucket, and durations as OpenAI writes them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.limits.bucket import Bucket, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-1, "0s"),
        (0.0001, "1ms"),
        (0.012, "12ms"),
        (0.6, "600ms"),
        (1, "1s"),
        (8.64, "8.64s"),
        (1.5, "1.5s"),
        (59.9991, "1m0s"),
        (60, "1m0s"),
        (360, "6m0s"),
        (72.5, "1m12.5s"),
        (3600, "1h0m0s"),
        (90061.001, "25h1m1.001s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_full_bucket_gives_its_capacity_and_then_one_per_interval() -> None:
    bucket = Bucket.full(60, 0.0)
    for _ in range(60):
        assert bucket.wait(1, 0.0) == 0
        bucket.take(1)
    assert bucket.remaining(0.0) == 0
    assert bucket.wait(1, 0.0) == pytest.approx(1.0)
    assert bucket.wait(1, 0.5) == pytest.approx(0.5)
    assert bucket.wait(1, 1.0) == 0
    assert bucket.reset(1.0) == pytest.approx(59.0)


def test_it_never_holds_more_than_its_capacity() -> None:
    bucket = Bucket.full(10, 0.0)
    bucket.take(-5)
    assert bucket.remaining(1e9) == 10


def test_more_than_the_capacity_waits_for_all_of_it() -> None:
    bucket = Bucket.full(10, 0.0)
    assert bucket.wait(1000, 0.0) == 0
    bucket.take(10)
    assert bucket.wait(1000, 0.0) == pytest.approx(60.0)


def test_a_debt_is_paid_before_anything_else() -> None:
    bucket = Bucket.full(60, 0.0)
    bucket.take(90)
    assert bucket.remaining(0.0) == 0
    assert bucket.wait(0, 0.0) == pytest.approx(30.0)
    assert bucket.wait(1, 0.0) == pytest.approx(31.0)


def test_a_clock_that_goes_back_changes_nothing() -> None:
    bucket = Bucket.full(60, 100.0)
    bucket.take(60)
    assert bucket.wait(1, 0.0) == pytest.approx(1.0)
    assert bucket.wait(1, 101.0) == 0


def test_resizing_keeps_the_share() -> None:
    bucket = Bucket.full(100, 0.0)
    bucket.take(50)
    bucket.resize(10, 0.0)
    assert bucket.remaining(0.0) == 5


@given(
    st.floats(1, 1e7),
    st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e7)), max_size=20),
    st.floats(0, 1e7),
)
def test_after_waiting_as_told_it_passes(capacity: float, before: list[tuple[float, float]], units: float) -> None:
    bucket, now = Bucket.full(capacity, 0.0), 0.0
    for seconds, taken in before:
        now += seconds
        bucket.refill(now)
        bucket.take(taken)
    wait = bucket.wait(units, now)
    assert wait >= 0
    if wait > 0.01:
        assert replace(bucket).wait(units, now + wait / 2) > 0
    if wait < 1e6:
        assert bucket.wait(units, now + wait) == pytest.approx(0, abs=1e-6)
