# ruff: noqa: N818 - each class is named after the fault, as a caller would say it
"""Errors, grouped by who is at fault, with status, type and code as class attributes.

Raise the class that names the fault; nothing matches on texts. Messages begin with "cannot" and say what to do; they
contain no token and nothing that a client wrote in a message, because they are logged.

Source: OpenAI's ``ErrorResponse`` (``{"error": {"message", "type", "param", "code"}}``, all four present).
"""

import json
from collections.abc import Mapping
from math import ceil
from typing import ClassVar


class GatewayError(Exception):
    """An answer other than success. Not raised itself: raise the subclass that says whose fault it is.

    ``param`` is the path of the field at fault (``messages[1].content[0].type``); ``retry_after`` is in seconds;
    ``headers`` are sent beside the usual ones, their names in lower case.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None
    # True where asking again cannot help until a person has acted. The official SDKs are told: they retry 429 and 5xx.
    hopeless: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self._headers = headers or {}
        if param is not None:
            self.param = param
        if code is not None:
            self.code = code
        if retry_after is not None:
            self.retry_after = retry_after

    def body(self) -> bytes:
        """The JSON body in OpenAI's envelope. Plain ASCII, so that no text of ours can fail to encode."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return json.dumps({"error": error}).encode("ascii")

    def headers(self) -> dict[str, str]:
        """Response headers that go with this error, beside the usual ones. Names are lower case."""
        headers = dict(self._headers)
        if self.retry_after is not None:
            # Whole seconds, never 0: "retry-after: 0" makes clients hammer.
            headers["retry-after"] = str(max(1, ceil(self.retry_after)))
            # Read before retry-after by the official SDKs, and finer.
            headers["retry-after-ms"] = str(max(1, ceil(self.retry_after * 1000)))
        if self.hopeless:
            headers["x-should-retry"] = "false"
        return headers


class CallerError(GatewayError):
    """The request is at fault; sending it again unchanged gives the same answer (429 apart)."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_value"


class InvalidRequest(CallerError):
    """The body or a field is invalid."""


class UnsupportedParameter(CallerError):
    """A parameter that cannot be honoured, and without which the answer would be wrong."""

    code = "unsupported_parameter"


class ContextLengthExceeded(CallerError):
    """The prompt does not fit into the model's context. Agents compact their history when they get this code."""

    code = "context_length_exceeded"
    param = "messages"


class AuthenticationFailed(CallerError):
    """The client key is missing or not valid.

    Never echo it.
    """

    status = 401
    code = "invalid_api_key"


class PermissionDenied(CallerError):
    """The client is not allowed to do this."""

    status = 403
    code = "permission_denied"


class NotFound(CallerError):
    """The route or object does not exist."""

    status = 404
    code = "not_found"


class ModelNotFound(NotFound):
    """The model does not exist, or not for this client."""

    code = "model_not_found"
    param = "model"


class MethodNotAllowed(CallerError):
    """The route does not support this method; the header ``allow`` lists those that it does."""

    status = 405
    code = "method_not_allowed"


class TooMany(CallerError):
    """The client already has as many of these as it may have."""

    status = 409
    code = "too_many"


class BodyTooLarge(CallerError):
    """The body is larger than ``server.max_body_bytes``."""

    status = 413
    code = "body_too_large"


class UnsupportedMediaType(CallerError):
    """The body is not ``application/json``, or its compression is not supported."""

    status = 415
    code = "unsupported_media_type"


class RateLimitExceeded(CallerError):
    """The client has reached one of its limits; ``retry-after`` says when its next request is allowed.

    Give ``retry_after``.
    """

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    retry_after = 1.0


class RequestTooLarge(RateLimitExceeded):
    """The request may use more tokens than the client has per minute, so it would never be allowed: ask for less."""

    retry_after = 60.0
    hopeless = True


class AnswerUnread(CallerError):
    """The client stopped reading its stream for longer than a process can wait."""

    status = 408
    code = "answer_unread"


class UpstreamError(GatewayError):
    """What is behind the CLI is at fault."""

    status = 503
    type = "upstream_error"


class CredentialsExhausted(UpstreamError):
    """Every upstream key is refused by the upstream or disabled. Not a 401, because the client's own key is valid."""

    status = 502
    code = "upstream_credentials_exhausted"
    hopeless = True


class QuotaExhausted(UpstreamError):
    """The credit of every upstream key is used up."""

    status = 429
    type = "insufficient_quota"
    code = "insufficient_quota"
    retry_after = 600.0
    hopeless = True


class UpstreamRateLimited(UpstreamError):
    """Every upstream key is rate limited; ``retry-after`` says when the first is back.

    Give ``retry_after``.
    """

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    retry_after = 60.0


class UpstreamUnavailable(UpstreamError):
    """The upstream returns 5xx or 529, or cannot be reached."""

    status = 503
    code = "upstream_unavailable"
    retry_after = 5.0


class UpstreamTimeout(UpstreamError):
    """The upstream stopped sending."""

    status = 504
    code = "upstream_timeout"


class CliError(GatewayError):
    """The Claude Code CLI crashed, could not be started, or wrote invalid output."""

    status = 500
    code = "claude_cli_failed"


class ServerError(GatewayError):
    """We are at fault."""


class Overloaded(ServerError):
    """All workers are busy, and the queue is full."""

    status = 503
    code = "overloaded"
    retry_after = 1.0


class ShuttingDown(ServerError):
    """The daemon is stopping and takes no new requests."""

    status = 503
    code = "shutting_down"
    retry_after = 5.0


class InternalError(ServerError):
    """An unexpected error in the gateway; find it in the log by the request's id."""

    status = 500
    code = "internal_error"
