"""Every error has a status, a type and a body in OpenAI's envelope; those to be retried say when."""

import json
from collections.abc import Iterator

import pytest

from claudegwd.openai_api import errors
from claudegwd.openai_api.errors import GatewayError
from tests.openai_client import described


def every_class(root: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    for child in root.__subclasses__():
        yield child
        yield from every_class(child)


@pytest.mark.parametrize("kind", list(every_class()), ids=lambda kind: kind.__name__)
def test_every_error_has_all_four_keys(kind: type[GatewayError]) -> None:
    error = kind("cannot do it: try again")
    body = json.loads(error.body())
    assert list(body) == ["error"]
    assert list(body["error"]) == ["message", "type", "param", "code"]
    assert body["error"]["message"] == str(error) == "cannot do it: try again"
    assert body["error"]["type"]
    assert 400 <= error.status <= 599


@pytest.mark.parametrize("kind", list(every_class()), ids=lambda kind: kind.__name__)
def test_busy_errors_say_when_to_come_back(kind: type[GatewayError]) -> None:
    if kind.status == 429 or (kind.status == 503 and kind.code is not None):
        assert int(kind("cannot answer now").headers()["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (errors.InvalidRequest, 400, "invalid_value"),
        (errors.UnsupportedParameter, 400, "unsupported_parameter"),
        (errors.ContextLengthExceeded, 400, "context_length_exceeded"),
        (errors.AuthenticationFailed, 401, "invalid_api_key"),
        (errors.ModelNotFound, 404, "model_not_found"),
        (errors.RateLimitExceeded, 429, "rate_limit_exceeded"),
        (errors.CredentialsExhausted, 502, "upstream_credentials_exhausted"),
        (errors.QuotaExhausted, 429, "insufficient_quota"),
        (errors.UpstreamRateLimited, 429, "rate_limit_exceeded"),
        (errors.UpstreamUnavailable, 503, "upstream_unavailable"),
        (errors.UpstreamTimeout, 504, "upstream_timeout"),
        (errors.CliError, 500, "claude_cli_failed"),
        (errors.Overloaded, 503, "overloaded"),
        (errors.InternalError, 500, "internal_error"),
    ],
)
def test_codes_that_clients_act_on(kind: type[GatewayError], status: int, code: str) -> None:
    error = kind("cannot")
    assert (error.status, error.code) == (status, code)


def test_a_model_that_is_not_there_is_the_model_parameter() -> None:
    assert errors.ModelNotFound("cannot find it").param == "model"
    assert errors.GatewayError("cannot", param="n").param == "n"


def test_what_the_raiser_knows_better_wins() -> None:
    error = errors.NotFound("cannot find the session", code="session_not_found", retry_after=0.2)
    assert error.code == "session_not_found"
    assert error.headers() == {"retry-after": "1", "retry-after-ms": "200"}


def test_asking_again_is_forbidden_where_it_cannot_help() -> None:
    assert errors.CredentialsExhausted("cannot").headers()["x-should-retry"] == "false"
    assert "x-should-retry" not in errors.UpstreamUnavailable("cannot").headers()


def test_a_text_that_utf8_cannot_hold_still_makes_a_body() -> None:
    assert json.loads(errors.InvalidRequest("cannot \ud800").body())["error"]["message"] == "cannot \ud800"


@pytest.mark.parametrize("kind", list(every_class()), ids=lambda kind: kind.__name__)
def test_the_description_is_satisfied(kind: type[GatewayError]) -> None:
    described("ErrorResponse", kind("cannot do it").body())
