"""What one client may still do."""

import pytest

from claudegwd.limits.meter import Admission, Limits, Meter
from claudegwd.openai_api.errors import RateLimitExceeded, RequestTooLarge


def refused(meter: Meter, now: float) -> RateLimitExceeded:
    with pytest.raises(RateLimitExceeded) as caught:
        meter.admit(now)
    return caught.value


def too_many(meter: Meter, prompt: int, answer: int, now: float) -> RateLimitExceeded:
    admission = meter.admit(now)
    with pytest.raises(RateLimitExceeded) as caught:
        admission.reserve(prompt, answer, now)
    admission.end()
    return caught.value


def reserved(meter: Meter, prompt: int, answer: int, now: float) -> Admission:
    admission = meter.admit(now)
    admission.reserve(prompt, answer, now)
    return admission


def left(meter: Meter, now: float = 0.0) -> int:
    return int(meter.headers(now)["x-ratelimit-remaining-tokens"])


def test_without_limits_everything_passes_and_no_header_is_sent() -> None:
    meter = Meter(Limits(), 0.0)
    for _ in range(1000):
        reserved(meter, 10**9, 10**9, 0.0).settle(10**9, 0.0)
    assert meter.headers(0.0) == {}
    assert meter.active == 1000
    assert not meter.admit(0.0).counts_tokens


def test_requests_a_minute() -> None:
    meter = Meter(Limits(requests_per_minute=2), 0.0)
    meter.admit(0.0)
    meter.admit(0.0)
    error = refused(meter, 0.0)
    assert (error.status, error.code) == (429, "rate_limit_exceeded")
    assert error.retry_after == pytest.approx(30.0)
    assert "limit of requests per minute" in error.message
    meter.admit(30.0)


def test_the_headers_as_anthropic_writes_them() -> None:
    meter = Meter(Limits(requests_per_minute=2), 0.0)
    assert Meter(Limits(), 0.0).anthropic_headers(0.0, 0.0) == {}
    meter.admit(0.0)
    assert meter.anthropic_headers(0.0, 1_700_000_000.5) == {
        "anthropic-ratelimit-requests-limit": "2",
        "anthropic-ratelimit-requests-remaining": "1",
        "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:51Z",
    }


def test_the_headers_as_openai_writes_them() -> None:
    meter = Meter(Limits(requests_per_minute=100, tokens_per_minute=60_000), 0.0)
    reserved(meter, 600, 400, 0.0)
    assert meter.headers(0.0) == {
        "x-ratelimit-limit-requests": "100",
        "x-ratelimit-remaining-requests": "99",
        "x-ratelimit-reset-requests": "600ms",
        "x-ratelimit-limit-tokens": "60000",
        "x-ratelimit-remaining-tokens": "59000",
        "x-ratelimit-reset-tokens": "1s",
    }
    assert meter.headers(60.0)["x-ratelimit-reset-requests"] == "0s"


def test_prompt_and_answer_are_reserved_and_settled() -> None:
    meter = Meter(Limits(tokens_per_minute=600), 0.0)
    admission = reserved(meter, 100, 400, 0.0)
    error = too_many(meter, 50, 150, 0.0)
    assert error.retry_after == pytest.approx(10.0)
    assert "limit of tokens per minute" in error.message
    admission.settle(100, 0.0)
    admission.settle(100, 0.0)
    assert left(meter) == 500


def test_the_wait_that_is_told_is_enough_and_not_too_long() -> None:
    meter = Meter(Limits(tokens_per_minute=600), 0.0)
    reserved(meter, 100, 400, 0.0)
    wait = too_many(meter, 100, 200, 0.0).retry_after
    assert wait is not None
    too_many(meter, 100, 200, wait - 0.1)
    reserved(meter, 100, 200, wait)


def test_an_answer_longer_than_reserved_becomes_debt() -> None:
    meter = Meter(Limits(tokens_per_minute=600), 0.0)
    reserved(meter, 50, 50, 0.0).settle(900, 0.0)
    assert left(meter) == 0
    assert too_many(meter, 0, 60, 0.0).retry_after == pytest.approx(36.0)


@pytest.mark.parametrize(("prompt", "answer", "param"), [(601, 1, "messages"), (500, 101, "max_tokens")])
def test_what_never_fits_is_told_so_at_once(prompt: int, answer: int, param: str) -> None:
    meter = Meter(Limits(tokens_per_minute=600), 0.0)
    error = too_many(meter, prompt, answer, 0.0)
    assert isinstance(error, RequestTooLarge)
    assert (error.status, error.code, error.param) == (429, "rate_limit_exceeded", param)
    assert error.headers()["x-should-retry"] == "false"
    assert f"about {prompt} tokens and its answer may have {answer};" in error.message
    assert "600 tokens per minute" in error.message
    assert left(meter) == 600
    reserved(meter, 500, 100, 0.0)


def test_what_is_refused_takes_no_tokens() -> None:
    meter = Meter(Limits(tokens_per_minute=600), 0.0)
    reserved(meter, 600, 0, 0.0)
    for _ in range(50):
        too_many(meter, 50, 50, 0.0)
    assert left(meter, 10.0) == 100
    assert meter.active == 1


def test_the_longest_wait_counts() -> None:
    meter = Meter(Limits(requests_per_minute=2, tokens_per_minute=60), 0.0)
    reserved(meter, 1, 59, 0.0)
    assert too_many(meter, 1, 4, 0.0).retry_after == pytest.approx(30.0)
    assert too_many(meter, 1, 49, 30.0).retry_after == pytest.approx(30.0)
    meter = Meter(Limits(requests_per_minute=2, tokens_per_minute=60), 0.0)
    reserved(meter, 1, 59, 0.0)
    assert too_many(meter, 1, 49, 0.0).retry_after == pytest.approx(50.0)


def test_one_is_singular() -> None:
    assert "about 1 token and its" in too_many(Meter(Limits(tokens_per_minute=600), 0.0), 1, 600, 0.0).message
    meter = Meter(Limits(concurrent_requests=1), 0.0)
    meter.admit(0.0)
    assert "at most 1 concurrent request;" in refused(meter, 0.0).message


def test_requests_at_once() -> None:
    meter = Meter(Limits(concurrent_requests=2), 0.0)
    first = meter.admit(0.0)
    meter.admit(0.0)
    error = refused(meter, 0.0)
    assert error.retry_after is not None
    first.end()
    first.end()
    meter.admit(0.0)
    refused(meter, 0.0)


def test_a_request_that_was_never_settled_keeps_what_it_reserved() -> None:
    meter = Meter(Limits(tokens_per_minute=600), 0.0)
    reserved(meter, 100, 400, 0.0).end()
    assert left(meter) == 100


def test_other_limits_keep_what_was_used() -> None:
    meter = Meter(Limits(requests_per_minute=10), 0.0)
    for _ in range(10):
        meter.admit(0.0)
    meter.change(Limits(requests_per_minute=100), 0.0)
    assert refused(meter, 0.0).retry_after is not None
    meter.change(Limits(), 0.0)
    meter.admit(0.0)
    meter.change(Limits(requests_per_minute=1, tokens_per_minute=5), 0.0)
    reserved(meter, 2, 3, 0.0)


def test_what_was_asked_before_there_was_a_limit_is_settled_under_it() -> None:
    meter = Meter(Limits(), 0.0)
    admission = reserved(meter, 50, 50, 0.0)
    meter.change(Limits(tokens_per_minute=600), 0.0)
    admission.settle(100, 0.0)
    assert left(meter) == 500


def test_levels_that_hold_over_all_machines_are_mirrored() -> None:
    meter = Meter(Limits(requests_per_minute=60, tokens_per_minute=600), 0.0)
    meter.mirror(10.0, 100.0, 500.0, 5.0)
    assert meter.headers(5.0)["x-ratelimit-remaining-requests"] == "10"
    assert meter.headers(6.0)["x-ratelimit-remaining-tokens"] == "110"
    meter.mirror(50.0, 500.0, 499.9, 6.0)  # an answer that was overtaken
    assert meter.headers(6.0)["x-ratelimit-remaining-requests"] == "11"
    meter.mirror(50.0, 500.0, 100.0, 6.0)  # another store, whose clock is behind
    assert meter.headers(6.0)["x-ratelimit-remaining-requests"] == "50"


def test_no_level_above_the_limit_is_mirrored() -> None:
    meter = Meter(Limits(tokens_per_minute=600), 0.0)
    meter.mirror(0.0, 900.0, 500.0, 5.0)
    assert meter.headers(5.0)["x-ratelimit-remaining-tokens"] == "600"


def test_what_is_mirrored_goes_on_as_a_share_of_the_limits() -> None:
    meter = Meter(Limits(requests_per_minute=60), 0.0)
    meter.mirror(40.0, 0.0, 500.0, 0.0)
    meter.change(Limits(requests_per_minute=60).scaled(0.5), 0.0)
    assert meter.headers(0.0)["x-ratelimit-limit-requests"] == "30"
    assert meter.headers(0.0)["x-ratelimit-remaining-requests"] == "20"


def test_of_what_is_limited_a_share_is_at_least_one() -> None:
    assert Limits(5, 0, 1).scaled(0.1) == Limits(1, 0, 1)


def test_tokens_are_told_as_they_are_used_and_given_back() -> None:
    meter = Meter(Limits(tokens_per_minute=1000), 0.0)
    told: list[float] = []
    meter.on_used = told.append
    reserved(meter, 100, 200, 0.0).settle(50, 1.0)
    assert told == [300, -250]


def test_the_end_of_a_request_is_told_once() -> None:
    admission = Meter(Limits(), 0.0).let_in()
    told: list[int] = []
    admission.on_end = lambda: told.append(1)
    admission.end()
    admission.end()
    assert told == [1]
