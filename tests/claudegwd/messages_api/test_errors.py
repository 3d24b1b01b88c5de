"""Each of our errors, as Anthropic's clients are told it."""

import json

import pytest

from claudegwd.messages_api.errors import error_body, status_of, type_of
from claudegwd.openai_api import errors as e


def kinds(kind: type[e.GatewayError] = e.GatewayError) -> list[type[e.GatewayError]]:
    return [kind, *(one for below in kind.__subclasses__() for one in kinds(below))]


KNOWN = {
    "invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error",
    "request_too_large", "rate_limit_error", "timeout_error", "api_error", "overloaded_error",
}  # fmt: skip


@pytest.mark.parametrize("kind", kinds())
def test_every_error_has_a_type_of_anthropics(kind: type[e.GatewayError]) -> None:
    error = kind("cannot do it: é", param="messages[0]")
    body = json.loads(error_body(error, "req_1"))
    assert (body["type"], body["request_id"]) == ("error", "req_1")
    assert body["error"]["type"] in KNOWN
    assert (status_of(error) < 500) == (kind.status < 500)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (e.InvalidRequest("x"), 400, "invalid_request_error"),
        (e.AuthenticationFailed("x"), 401, "authentication_error"),
        (e.QuotaExhausted("x"), 402, "billing_error"),
        (e.PermissionDenied("x"), 403, "permission_error"),
        (e.ModelNotFound("x"), 404, "not_found_error"),
        (e.BodyTooLarge("x"), 413, "request_too_large"),
        (e.RateLimitExceeded("x"), 429, "rate_limit_error"),
        (e.InternalError("x"), 500, "api_error"),
        (e.UpstreamTimeout("x"), 504, "timeout_error"),
        (e.UpstreamUnavailable("x"), 529, "overloaded_error"),
        (e.Overloaded("x"), 529, "overloaded_error"),
    ],
)
def test_statuses_are_anthropics(error: e.GatewayError, status: int, kind: str) -> None:
    assert (status_of(error), type_of(error)) == (status, kind)


def test_the_path_of_the_field_is_in_the_message_once() -> None:
    def told(message: str) -> str:
        body = json.loads(error_body(e.InvalidRequest(message, param="top_k"), "r"))
        return str(body["error"]["message"])

    assert told("cannot read it") == "top_k: cannot read it"
    assert told("cannot read top_k") == "cannot read top_k"


def test_a_prompt_that_is_too_long_is_told_in_the_words_by_which_agents_compact() -> None:
    assert b"prompt is too long" in error_body(e.ContextLengthExceeded("cannot answer"), "r")


def test_a_client_that_wants_its_conversation_kept_is_told_to_go_on_without() -> None:
    body = json.loads(error_body(e.UnsupportedParameter("cannot honour thread", param="thread"), "r"))
    assert body["error"]["details"]["error_code"] == "thread_unsupported_request"
    assert "details" not in json.loads(error_body(e.InvalidRequest("cannot", param="top_k"), "r"))["error"]
