"""What one client may still do."""

import pytest

from claudegwd.limits.meter import Limits, Meter
from claudegwd.openai_api.errors import RateLimitExceeded


def refused(meter: Meter, tokens: int, now: float) -> RateLimitExceeded:
    with pytest.raises(RateLimitExceeded) as caught:
        meter.admit(tokens, now)
    return caught.value


def test_without_limits_everything_passes_and_no_header_is_sent() -> None:
    meter = Meter(Limits(), 0.0)
    for _ in range(1000):
        meter.admit(10**9, 0.0).settle(10**9, 0.0)
    assert meter.headers(0.0) == {}
    assert meter.active == 1000


def test_requests_a_minute() -> None:
    meter = Meter(Limits(requests_per_minute=2), 0.0)
    meter.admit(0, 0.0)
    meter.admit(0, 0.0)
    error = refused(meter, 0, 0.0)
    assert (error.status, error.code) == (429, "rate_limit_exceeded")
    assert error.retry_after == pytest.approx(30.0)
    assert "limit of requests a minute" in error.message
    meter.admit(0, 30.0)


def test_the_headers_as_openai_writes_them() -> None:
    meter = Meter(Limits(requests_per_minute=100, tokens_per_minute=60_000), 0.0)
    meter.admit(1000, 0.0)
    assert meter.headers(0.0) == {
        "x-ratelimit-limit-requests": "100",
        "x-ratelimit-remaining-requests": "99",
        "x-ratelimit-reset-requests": "600ms",
        "x-ratelimit-limit-tokens": "60000",
        "x-ratelimit-remaining-tokens": "59000",
        "x-ratelimit-reset-tokens": "1s",
    }
    assert meter.headers(60.0)["x-ratelimit-reset-requests"] == "0s"


def test_tokens_are_reserved_and_settled() -> None:
    meter = Meter(Limits(tokens_per_minute=600), 0.0)
    admission = meter.admit(500, 0.0)
    assert refused(meter, 200, 0.0).retry_after == pytest.approx(10.0)
    admission.settle(100, 0.0)
    admission.settle(100, 0.0)
    assert meter.headers(0.0)["x-ratelimit-remaining-tokens"] == "500"


def test_an_answer_longer_than_reserved_becomes_debt() -> None:
    meter = Meter(Limits(tokens_per_minute=600), 0.0)
    meter.admit(100, 0.0).settle(900, 0.0)
    assert meter.headers(0.0)["x-ratelimit-remaining-tokens"] == "0"
    assert refused(meter, 0, 0.0).retry_after == pytest.approx(30.0)


def test_a_request_larger_than_a_minutes_tokens_passes_when_all_are_there() -> None:
    meter = Meter(Limits(tokens_per_minute=600), 0.0)
    meter.admit(5000, 0.0).settle(600, 0.0)
    assert refused(meter, 5000, 0.0).retry_after == pytest.approx(60.0)
    meter.admit(5000, 60.0)


def test_what_is_refused_takes_nothing() -> None:
    meter = Meter(Limits(requests_per_minute=10, tokens_per_minute=600), 0.0)
    meter.admit(600, 0.0)
    for _ in range(50):
        refused(meter, 100, 0.0)
    assert meter.headers(0.0)["x-ratelimit-remaining-requests"] == "9"
    assert meter.active == 1


def test_the_longest_wait_counts() -> None:
    meter = Meter(Limits(requests_per_minute=60, tokens_per_minute=60), 0.0)
    for _ in range(60):
        meter.admit(0, 0.0)
    meter.use_tokens(60, 0.0)
    error = refused(meter, 30, 0.0)
    assert error.retry_after == pytest.approx(30.0)
    assert "limit of tokens" in error.message


def test_requests_at_once() -> None:
    meter = Meter(Limits(concurrent_requests=2), 0.0)
    first = meter.admit(0, 0.0)
    meter.admit(0, 0.0)
    error = refused(meter, 0, 0.0)
    assert error.retry_after is not None
    first.end()
    first.end()
    meter.admit(0, 0.0)
    refused(meter, 0, 0.0)


def test_a_request_that_was_never_settled_keeps_what_it_reserved() -> None:
    meter = Meter(Limits(tokens_per_minute=600), 0.0)
    meter.admit(500, 0.0).end()
    assert meter.headers(0.0)["x-ratelimit-remaining-tokens"] == "100"


def test_other_limits_keep_what_was_used() -> None:
    meter = Meter(Limits(requests_per_minute=10), 0.0)
    for _ in range(10):
        meter.admit(0, 0.0)
    meter.change(Limits(requests_per_minute=100), 0.0)
    assert refused(meter, 0, 0.0).retry_after is not None
    meter.change(Limits(), 0.0)
    meter.admit(0, 0.0)
    meter.change(Limits(requests_per_minute=1, tokens_per_minute=5), 0.0)
    meter.admit(5, 0.0)


def test_a_reservation_of_before_a_change_is_settled_after_it() -> None:
    meter = Meter(Limits(), 0.0)
    admission = meter.admit(100, 0.0)
    meter.change(Limits(tokens_per_minute=600), 0.0)
    admission.settle(100, 0.0)
    assert meter.headers(0.0)["x-ratelimit-remaining-tokens"] == "500"


def test_what_becomes_known_later_is_reserved_too_and_never_refused() -> None:
    meter = Meter(Limits(tokens_per_minute=600), 0.0)
    admission = meter.admit(0, 0.0)
    admission.reserve(900, 0.0)
    assert refused(meter, 1, 0.0).retry_after == pytest.approx(30.1)
    admission.settle(100, 0.0)
    assert meter.headers(0.0)["x-ratelimit-remaining-tokens"] == "500"
    admission.reserve(100, 0.0)
    assert meter.headers(0.0)["x-ratelimit-remaining-tokens"] == "500"
