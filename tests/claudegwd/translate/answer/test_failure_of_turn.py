"""Why a turn failed, by what the CLI and its client library say; the turn's own tests have the CLI's usual words."""

import msgspec
import pytest

from claudegwd.claude_cli import events as e
from claudegwd.claude_cli.client_log import Rejection
from claudegwd.keys.failures import FailureKind
from claudegwd.translate.answer.failure_of_turn import REFUSED_ON_THE_WAY, WRONG_ADDRESS, failure_of
from claudegwd.translate.answer.outputs import Failed

BLOCKED = e.AssistantLine(
    is_api_error_message=True,
    error="unknown",
    message=msgspec.Raw(b'{"content":[{"type":"text","text":"API Error: Invalid URL"}]}'),
)
RESULT = e.Result(is_error=True, terminal_reason="api_error")


@pytest.mark.parametrize(
    ("rejection", "kind", "detail"),
    [
        (Rejection(404, is_json=True), FailureKind.MODEL_FORBIDDEN, ""),
        (Rejection(404, is_json=False), FailureKind.UNAVAILABLE, WRONG_ADDRESS),
        (Rejection(403, is_json=True), FailureKind.MODEL_FORBIDDEN, ""),
        (Rejection(403, is_json=False), FailureKind.UNAVAILABLE, REFUSED_ON_THE_WAY),
        (Rejection(401, is_json=True), FailureKind.AUTHENTICATION, ""),
        (Rejection(400, is_json=True), FailureKind.BAD_REQUEST, ""),
    ],
)
def test_a_status_that_only_the_log_tells(rejection: Rejection, kind: FailureKind, detail: str) -> None:
    """The CLI's second attempt was blocked, and all that it reports is that."""
    failed = failure_of(RESULT, BLOCKED, rejection, None)
    assert (failed.kind, failed.status, failed.detail) == (kind, rejection.status, detail)


def test_without_a_status() -> None:
    assert failure_of(RESULT, BLOCKED, None, None).kind is FailureKind.UNAVAILABLE


def test_the_status_that_the_cli_tells_is_surer() -> None:
    result = e.Result(is_error=True, api_error_status=429)
    assert failure_of(result, None, Rejection(404, is_json=True), 7.0) == Failed(FailureKind.RATE_LIMIT, 429, None, 7.0)


@pytest.mark.parametrize(
    ("rejection", "error_type", "kind"),
    [
        (Rejection(403, is_json=False), None, FailureKind.UNAVAILABLE),  # a firewall's page
        (Rejection(403, is_json=True), None, FailureKind.MODEL_FORBIDDEN),  # as Bedrock says it
        (Rejection(403, is_json=True), "permission_error", FailureKind.MODEL_FORBIDDEN),
        (None, None, FailureKind.MODEL_FORBIDDEN),
    ],
)
def test_a_403_that_no_api_has_sent_says_nothing_about_the_model(
    rejection: Rejection | None, error_type: str | None, kind: FailureKind
) -> None:
    result = e.Result(is_error=True, api_error_status=403, api_error_type=error_type)
    failed = failure_of(result, None, rejection, None)
    assert (failed.kind, failed.detail) == (kind, REFUSED_ON_THE_WAY if kind is FailureKind.UNAVAILABLE else "")


def test_nothing_is_known() -> None:
    assert failure_of(e.Result(), None, None, None) == Failed(FailureKind.CLI, None, None, None)
