from __future__ import annotations

from claudegwd.demo import script
from tests.claudegwd.demo.requests import recorded


def test_failures_have_the_status_and_type_of_the_real_service() -> None:
    failures = [
        (script.revoked(), 401, "authentication_error"),
        (script.spent(), 400, "invalid_request_error"),
        (script.limited(), 429, "rate_limit_error"),
        (script.forbidden(), 403, "permission_error"),
        (script.no_such_model(), 404, "not_found_error"),
        (script.bad_request(), 400, "invalid_request_error"),
        (script.too_long(), 400, "invalid_request_error"),
        (script.too_large(), 413, "request_too_large"),
        (script.overloaded(), 529, "overloaded_error"),
        (script.server_error(), 500, "api_error"),
        (script.server_error(503), 503, "api_error"),
    ]
    for failure, status, error_type in failures:
        assert (failure.status, failure.error_type) == (status, error_type)


def test_a_limit_names_its_end_only_when_told() -> None:
    assert script.limited().headers == {}
    assert script.limited(retry_after=1.9).headers == {"retry-after": "1"}
    reset = script.limited(reset_at=1_900_000_000.5).headers
    assert reset["anthropic-ratelimit-unified-reset"] == "1900000000"
    assert reset["anthropic-ratelimit-unified-status"] == "rejected"


def test_messages_are_only_what_looks_like_messages() -> None:
    assert recorded(messages=None).messages == []
    assert recorded(messages=[1, {"role": "user"}]).messages == [{"role": "user"}]
    assert recorded().model == "m-1"


def test_the_key_is_not_shown() -> None:
    assert "sk-false-1" not in repr(recorded())
