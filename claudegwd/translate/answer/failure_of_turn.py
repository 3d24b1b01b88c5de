"""Why a turn failed. Pure."""

from claudegwd.claude_cli import events as e
from claudegwd.claude_cli.causes import connection_cause, text_of
from claudegwd.claude_cli.client_log import Rejection
from claudegwd.keys.failures import FailureKind, classify
from claudegwd.translate.answer.outputs import Failed

FORBIDDEN, NOT_FOUND = 403, 404
WRONG_ADDRESS = "the server there is not a Messages API: check base_url"
REFUSED_ON_THE_WAY = "a web page came instead of the API's answer: check for a firewall or proxy on the way"


def failure_of(
    result: e.Result, error: e.AssistantLine | None, rejection: Rejection | None, reset_at: float | None
) -> Failed:
    """`error`: the line in which the CLI reported it. `rejection`: how the upstream rejected the last request, in case
    the CLI does not say. `reset_at`: when the limit reported by the CLI ends, in seconds since the epoch."""
    error = error or e.AssistantLine()
    status = result.api_error_status or error.api_error_status
    kind_of_error = result.api_error_type or error.api_error_type
    text = text_of(error.message)
    if status is None and rejection is not None:
        status = rejection.status
        text = ""  # it is about another attempt, which was blocked
        if status == NOT_FOUND and rejection.is_json:
            kind_of_error = "not_found_error"  # there is an API, probably this one: only the body would tell
    kind = classify(status, error.error, kind_of_error, result.terminal_reason, text)
    if status == FORBIDDEN and not kind_of_error and rejection is not None and not rejection.is_json:
        kind, kind_of_error = FailureKind.UNAVAILABLE, REFUSED_ON_THE_WAY  # it says nothing about the model
    if status is None:
        detail = connection_cause(text, error.api_error)
    elif kind is FailureKind.UNAVAILABLE:
        detail = WRONG_ADDRESS if status == NOT_FOUND else kind_of_error or ""
    else:
        detail = "" if status == NOT_FOUND else text  # here the text is the CLI's advice to its user
    return Failed(kind, status, error.error or kind_of_error or result.terminal_reason, reset_at, detail)
