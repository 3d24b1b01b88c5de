"""Our errors in Anthropic's format: its statuses, its types, its envelope.

Source: Anthropic's ``ErrorResponse`` (``{"type": "error", "error": {"type", "message"}, "request_id"}``).
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from claudegwd.openai_api.errors import (
    ContextLengthExceeded,
    GatewayError,
    Overloaded,
    QuotaExhausted,
    ShuttingDown,
    UpstreamUnavailable,
)

# By status; any other fault of the caller is an invalid request, and the rest are API errors.
_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        504: "timeout_error",
        529: "overloaded_error",
    }
)
# Where Anthropic has another status. Its clients retry by themselves after a 529, and not after a 402.
_STATUSES: Final[Mapping[type[GatewayError], int]] = MappingProxyType(
    {Overloaded: 529, ShuttingDown: 529, UpstreamUnavailable: 529, QuotaExhausted: 402}
)
# Claude Code compacts its conversation when it reads this.
_TOO_LONG: Final = "prompt is too long: "
# Anthropic's clients ask the upstream to keep a conversation, and continue without that if they get this.
_THREAD: Final = "thread"
_UNTHREADED: Final = {"error_code": "thread_unsupported_request", "unsupported": [_THREAD]}


def status_of(error: GatewayError) -> int:
    """The HTTP status that Anthropic's clients expect for this error."""
    return _STATUSES.get(type(error), error.status)


def type_of(error: GatewayError) -> str:
    """Anthropic's name for the error."""
    status = status_of(error)
    return _TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error")


def error_body(error: GatewayError, request_id: str) -> bytes:
    """The JSON body. Plain ASCII, so that no text of ours can fail to encode."""
    message = error.message
    if error.param and error.param not in message:
        message = f"{error.param}: {message}"  # the envelope has no field for it
    if isinstance(error, ContextLengthExceeded):
        message = _TOO_LONG + error.message
    told: dict[str, object] = {"type": type_of(error), "message": message}
    if error.param == _THREAD:
        told["details"] = _UNTHREADED
    return json.dumps({"type": "error", "error": told, "request_id": request_id}).encode("ascii")
