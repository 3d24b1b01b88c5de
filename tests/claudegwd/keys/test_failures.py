"""The failure table row by row, and the classifier on what CLI 2.1.330 was seen to report."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.keys.failures import (
    BACKOFF_MAX_SECONDS,
    FAILURES,
    FailureKind,
    KeyEffect,
    RetryRule,
    backoff_seconds,
    classify,
    error_for,
)

# status, error, error_type, terminal_reason, kind: seen with the real CLI against a scripted endpoint.
SEEN = [
    (401, "authentication_failed", "authentication_error", "api_error", FailureKind.AUTHENTICATION),
    (None, "authentication_failed", None, "api_error", FailureKind.AUTHENTICATION),
    (400, "billing_error", "invalid_request_error", "api_error", FailureKind.BILLING),
    (402, "unknown", "billing_error", "api_error", FailureKind.BILLING),
    (400, "unknown", "billing_error", "api_error", FailureKind.BILLING),
    (429, "rate_limit", "rate_limit_error", "api_error", FailureKind.RATE_LIMIT),
    (403, "authentication_failed", "permission_error", "api_error", FailureKind.MODEL_FORBIDDEN),
    (404, "model_not_found", None, "api_error", FailureKind.UNAVAILABLE),  # of a path: a base_url that is wrong
    (404, "model_not_found", "not_found_error", "api_error", FailureKind.MODEL_FORBIDDEN),
    (400, "invalid_request", "invalid_request_error", "prompt_too_long", FailureKind.TOO_LONG),
    (None, "invalid_request", None, "blocking_limit", FailureKind.TOO_LONG),
    (413, "invalid_request", "request_too_large", "image_error", FailureKind.TOO_LONG),
    (400, "unknown", "invalid_request_error", "api_error", FailureKind.BAD_REQUEST),
    (422, "unknown", "zz", "api_error", FailureKind.BAD_REQUEST),
    (407, "unknown", None, "api_error", FailureKind.UNAVAILABLE),
    (408, "unknown", "x", "api_error", FailureKind.UNAVAILABLE),
    (500, "server_error", "api_error", "api_error", FailureKind.UNAVAILABLE),
    (502, "server_error", "x", "api_error", FailureKind.UNAVAILABLE),
    (503, "server_error", "x", "api_error", FailureKind.UNAVAILABLE),
    (504, "server_error", "timeout_error", "api_error", FailureKind.UNAVAILABLE),
    (529, "server_error", "overloaded_error", "api_error", FailureKind.UNAVAILABLE),
    (None, "server_error", None, "api_error", FailureKind.UNAVAILABLE),
    (None, "unknown", None, "api_error", FailureKind.UNAVAILABLE),
    (None, None, None, None, FailureKind.CLI),
]


@pytest.mark.parametrize(("status", "error", "error_type", "terminal_reason", "kind"), SEEN)
def test_what_the_cli_reports(
    status: int | None, error: str | None, error_type: str | None, terminal_reason: str | None, kind: FailureKind
) -> None:
    assert classify(status, error, error_type, terminal_reason) is kind


def test_quota_comes_before_rate_limit() -> None:
    assert classify(429, "billing_error", "rate_limit_error") is FailureKind.BILLING
    assert classify(429, "rate_limit", "billing_error") is FailureKind.BILLING
    assert classify(429, "rate_limit", "insufficient_quota") is FailureKind.BILLING


def test_an_overload_dressed_as_429_does_not_cool_the_key() -> None:
    assert classify(429, "overloaded", "overloaded_error") is FailureKind.UNAVAILABLE


def test_an_error_event_inside_a_stream_has_a_type_but_no_status() -> None:
    assert classify(None, "server_error", "overloaded_error") is FailureKind.UNAVAILABLE
    assert classify(None, "unknown", "rate_limit_error") is FailureKind.RATE_LIMIT


@given(
    st.none() | st.integers(-1, 999),
    st.none() | st.text(max_size=20),
    st.none() | st.text(max_size=20),
    st.none() | st.text(max_size=20),
)
def test_anything_has_a_kind(status: int | None, error: str | None, type_: str | None, reason: str | None) -> None:
    assert classify(status, error, type_, reason) in FAILURES


# The table of the specification: kind, key effect, retry rule, status and code when nothing is left.
TABLE = [
    (FailureKind.AUTHENTICATION, KeyEffect.INVALID, RetryRule.NEXT_KEY, 502, "upstream_credentials_exhausted"),
    (FailureKind.BILLING, KeyEffect.EXHAUSTED, RetryRule.NEXT_KEY, 429, "insufficient_quota"),
    (FailureKind.RATE_LIMIT, KeyEffect.COOLING, RetryRule.NEXT_KEY, 429, "rate_limit_exceeded"),
    (FailureKind.UNAVAILABLE, KeyEffect.UNCHANGED, RetryRule.OTHER_ADDRESS, 503, "upstream_unavailable"),
    (FailureKind.MODEL_FORBIDDEN, KeyEffect.MODEL_FORBIDDEN, RetryRule.NEXT_KEY, 404, "model_not_found"),
    (FailureKind.BAD_REQUEST, KeyEffect.UNCHANGED, RetryRule.NEVER, 400, "invalid_value"),
    (FailureKind.TOO_LONG, KeyEffect.UNCHANGED, RetryRule.NEVER, 400, "context_length_exceeded"),
    (FailureKind.CLI, KeyEffect.UNCHANGED, RetryRule.OTHER_PROCESS, 500, "claude_cli_failed"),
    (FailureKind.UNREAD, KeyEffect.UNCHANGED, RetryRule.NEVER, 408, "answer_unread"),
    (FailureKind.LATE, KeyEffect.UNCHANGED, RetryRule.NEVER, 504, "upstream_timeout"),
    (FailureKind.SILENT, KeyEffect.UNCHANGED, RetryRule.OTHER_PROCESS, 504, "upstream_timeout"),
]


@pytest.mark.parametrize(("kind", "effect", "retry", "status", "code"), TABLE)
def test_the_table(kind: FailureKind, effect: KeyEffect, retry: RetryRule, status: int, code: str) -> None:
    rule = FAILURES[kind]
    assert (rule.effect, rule.retry) == (effect, retry)
    error = error_for(kind, retry_after=7.5)
    assert (error.status, error.code, error.retry_after) == (status, code, 7.5)
    assert error.message.startswith("cannot ")


def test_every_kind_has_a_row_and_every_row_a_test() -> None:
    assert set(FAILURES) == set(FailureKind) == {row[0] for row in TABLE}


def test_without_a_time_the_class_keeps_its_own() -> None:
    assert error_for(FailureKind.UNAVAILABLE).retry_after is not None
    assert error_for(FailureKind.BAD_REQUEST).retry_after is None


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_backoff_is_bounded_and_never_zero(attempt: int, chance: float) -> None:
    assert 0.25 <= backoff_seconds(attempt, chance) <= BACKOFF_MAX_SECONDS


def test_backoff_grows() -> None:
    assert [backoff_seconds(n, 1.0) for n in range(6)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Third-party apps now draw from your extra usage, not your plan limits.", FailureKind.BILLING),
        ("You have reached your specified API usage limits. You will regain access.", FailureKind.BILLING),
        ("This organization has been disabled.", FailureKind.AUTHENTICATION),
        ("Your credit balance is too low to access the Anthropic API.", FailureKind.BILLING),
        ("This client version is no longer supported. Please update.", FailureKind.CLI),
        ("messages.0: a usage limit of two images", FailureKind.BAD_REQUEST),
        ("tools.1.custom.name: extra usage", FailureKind.BAD_REQUEST),
        ("messages: at least one message is required", FailureKind.BAD_REQUEST),
        ("", FailureKind.BAD_REQUEST),
    ],
)
def test_a_400_about_the_account_is_not_the_callers_fault(text: str, kind: FailureKind) -> None:
    assert classify(400, "unknown", "invalid_request_error", "api_error", text) is kind


def test_what_the_upstream_says_of_a_request_is_told() -> None:
    assert error_for(FailureKind.BAD_REQUEST, detail="messages.0: no").message.endswith("as invalid: messages.0: no")
    for kind in set(FailureKind) - {FailureKind.BAD_REQUEST}:
        assert "messages.0" not in error_for(kind, detail="messages.0: no").message


def test_spent_beside_refused_names_both() -> None:
    message = error_for(FailureKind.BILLING, refused=True).message
    assert "rejected some" in message
    assert "out of credit" in message


def test_disabled_keys_are_not_called_rejected() -> None:
    error = error_for(FailureKind.AUTHENTICATION, disabled=True)
    assert "rejected" not in error.message
    assert "is disabled" in error.message
    assert "`claudegwctl keys enable NAME`" in error.message
