"""What an upstream failure means: for the key, for the next attempt, and for the caller if nothing is left.

The table is data (``FAILURES``); the ring and the turn read it and make no such decisions themselves. Failures are
classified by the CLI's structured fields, since its texts change from version to version; but see ``_ACCOUNT_TEXTS``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from types import MappingProxyType
from typing import Final

from claudegwd.openai_api.errors import (
    AnswerUnread,
    CliError,
    ContextLengthExceeded,
    CredentialsExhausted,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    QuotaExhausted,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamUnavailable,
)


@unique
class FailureKind(Enum):
    """The classes of failure that we distinguish. The values appear in logs, in the status and in metrics."""

    AUTHENTICATION = "authentication"
    BILLING = "billing"
    RATE_LIMIT = "rate_limit"
    MODEL_FORBIDDEN = "model_forbidden"
    UNAVAILABLE = "unavailable"
    BAD_REQUEST = "bad_request"
    TOO_LONG = "too_long"
    CLI = "cli"  # it crashed, or its output cannot be understood
    UNREAD = "unread"  # the client does not read its answer
    LATE = "late"  # the answer takes longer than a request may
    SILENT = "silent"  # it is alive but says nothing, which the caller sees as 504, not 500


@unique
class KeyEffect(Enum):
    """What a failure does to the key that was used."""

    UNCHANGED = "unchanged"
    INVALID = "invalid"
    EXHAUSTED = "exhausted"
    COOLING = "cooling"
    MODEL_FORBIDDEN = "model_forbidden"


@unique
class RetryRule(Enum):
    """Where the same question may be asked again. Never once a token has been sent, whatever the rule says."""

    NEVER = "never"
    NEXT_KEY = "next_key"
    OTHER_ADDRESS = "other_address"  # at once, if a key has another one; otherwise at the same, after a pause
    OTHER_PROCESS = "other_process"


@dataclass(frozen=True, slots=True)
class FailureRule:
    """One row of the table. ``retries``: how often after the first attempt; None: as long as there are keys."""

    effect: KeyEffect
    retry: RetryRule
    retries: int | None
    error: type[GatewayError]
    message: str


# An overloaded upstream usually recovers within seconds; clients that wait longer give up themselves (the official SDKs
# retry twice on their own).
UNAVAILABLE_RETRIES: Final = 3
# A fault that occurs on two processes in a row is caused by the question, not by the process.
PROCESS_RETRIES: Final = 1

FAILURES: Final[Mapping[FailureKind, FailureRule]] = MappingProxyType(
    {
        FailureKind.AUTHENTICATION: FailureRule(
            KeyEffect.INVALID,
            RetryRule.NEXT_KEY,
            None,
            CredentialsExhausted,
            "cannot reach the model: the upstream rejected every enabled key of this gateway; ask its operator to "
            "check `claudegwctl keys list`",
        ),
        FailureKind.BILLING: FailureRule(
            KeyEffect.EXHAUSTED,
            RetryRule.NEXT_KEY,
            None,
            QuotaExhausted,
            "cannot answer: every enabled upstream key is out of credit; ask the gateway's operator to add credit "
            "or a key",
        ),
        FailureKind.RATE_LIMIT: FailureRule(
            KeyEffect.COOLING,
            RetryRule.NEXT_KEY,
            None,
            UpstreamRateLimited,
            "cannot answer now: every usable upstream key is rate limited; retry after the time in retry-after",
        ),
        FailureKind.MODEL_FORBIDDEN: FailureRule(
            KeyEffect.MODEL_FORBIDDEN,
            RetryRule.NEXT_KEY,
            None,
            ModelNotFound,
            "cannot use this model: no enabled upstream key has access to it; GET /v1/models lists others",
        ),
        FailureKind.UNAVAILABLE: FailureRule(
            KeyEffect.UNCHANGED,
            RetryRule.OTHER_ADDRESS,
            UNAVAILABLE_RETRIES,
            UpstreamUnavailable,
            "cannot reach the model: the upstream is overloaded or unreachable; try again in a moment",
        ),
        FailureKind.BAD_REQUEST: FailureRule(
            KeyEffect.UNCHANGED,
            RetryRule.NEVER,
            0,
            InvalidRequest,
            "cannot answer: the upstream rejected this request as invalid; check messages, tools and parameters",
        ),
        FailureKind.TOO_LONG: FailureRule(
            KeyEffect.UNCHANGED,
            RetryRule.NEVER,
            0,
            ContextLengthExceeded,
            # LiteLLM (so OpenHands and aider too) and Cline recognize this error by such words, not by its code.
            "cannot answer: the prompt is longer than the model's context length; shorten or summarise the messages",
        ),
        FailureKind.CLI: FailureRule(
            KeyEffect.UNCHANGED,
            RetryRule.OTHER_PROCESS,
            PROCESS_RETRIES,
            CliError,
            "cannot answer: the Claude Code CLI failed; try again, and if that does not help, ask the operator to "
            "run `claudegwctl doctor`",
        ),
        FailureKind.UNREAD: FailureRule(
            KeyEffect.UNCHANGED,
            RetryRule.NEVER,
            0,
            AnswerUnread,
            "cannot continue: the answer was not read for minutes; read the stream as it arrives, or turn streaming "
            "off",
        ),
        FailureKind.LATE: FailureRule(
            KeyEffect.UNCHANGED,
            RetryRule.NEVER,
            0,
            UpstreamTimeout,
            "cannot finish the answer in time: it took longer than limits.request_seconds; ask for a shorter one",
        ),
        FailureKind.SILENT: FailureRule(
            KeyEffect.UNCHANGED,
            RetryRule.OTHER_PROCESS,
            PROCESS_RETRIES,
            UpstreamTimeout,
            "cannot answer in time: the upstream stopped responding; try again",
        ),
    }
)

# Instead of AUTHENTICATION's if there are no keys: what people see right after installing it.
NO_LOGIN: Final = (
    "cannot reach the model: no key is configured, and the login of the Claude Code CLI is missing or was rejected; "
    "the gateway's operator can add a key with `claudegwctl keys add NAME`, or log in with `claudegwctl login`"
)

# The same if the upstream has rejected none: the operator has disabled them all.
ALL_DISABLED: Final = (
    "cannot reach the model: every upstream key of this gateway is disabled; its operator can enable one with "
    "`claudegwctl keys enable NAME`, or add one with `claudegwctl keys add NAME`"
)

# Instead of BILLING's if that is not true of all keys.
SPENT_OR_REFUSED: Final = (
    "cannot answer: the upstream rejected some of this gateway's enabled keys, and the others are out of credit; ask "
    "its operator to check `claudegwctl keys list`"
)

BACKOFF_FIRST_SECONDS: Final = 0.5  # doubles up to the bound below
BACKOFF_MAX_SECONDS: Final = 8.0  # the SDKs' own maximum: longer waits are up to the client

# An exhausted quota may arrive as 400 or 429, and an overload as 429: these types are unambiguous, so they are checked
# before the status.
_SURE_TYPES: Final[Mapping[str, FailureKind]] = MappingProxyType(
    {
        "billing_error": FailureKind.BILLING,
        "insufficient_quota": FailureKind.BILLING,  # an OpenAI-shaped relay behind base_url
        "overloaded_error": FailureKind.UNAVAILABLE,
        "request_too_large": FailureKind.TOO_LONG,  # 32 MB: agents react the same way, by compacting
    }
)
_STATUSES: Final[Mapping[int, FailureKind]] = MappingProxyType(
    {
        401: FailureKind.AUTHENTICATION,
        402: FailureKind.BILLING,
        403: FailureKind.MODEL_FORBIDDEN,  # the CLI calls this authentication_failed: the status is more precise
        404: FailureKind.MODEL_FORBIDDEN,
        **dict.fromkeys((407, 408, 409, 425), FailureKind.UNAVAILABLE),  # 407: of a proxy
        413: FailureKind.TOO_LONG,
        429: FailureKind.RATE_LIMIT,
    }
)
# Without a status: an error event inside a stream that began with 200.
_TYPES: Final[Mapping[str, FailureKind]] = MappingProxyType(
    {
        "authentication_error": FailureKind.AUTHENTICATION,
        "permission_error": FailureKind.MODEL_FORBIDDEN,
        "not_found_error": FailureKind.MODEL_FORBIDDEN,
        "rate_limit_error": FailureKind.RATE_LIMIT,
        "invalid_request_error": FailureKind.BAD_REQUEST,
        "api_error": FailureKind.UNAVAILABLE,
        "timeout_error": FailureKind.UNAVAILABLE,
    }
)
# The CLI's own term, as enumerated in 2.1.330. No status and no type: it failed before a request, or the network did.
_ERRORS: Final[Mapping[str, FailureKind]] = MappingProxyType(
    {
        "authentication_failed": FailureKind.AUTHENTICATION,  # with no status: "Not logged in"
        "oauth_org_not_allowed": FailureKind.AUTHENTICATION,
        "account_on_hold": FailureKind.AUTHENTICATION,
        "verification_required": FailureKind.AUTHENTICATION,
        "cloud_credential_error": FailureKind.AUTHENTICATION,
        "rate_limit": FailureKind.RATE_LIMIT,
        "overloaded": FailureKind.UNAVAILABLE,
        "server_error": FailureKind.UNAVAILABLE,  # also a refused connection
        "unknown": FailureKind.UNAVAILABLE,  # also a 200 without an answer
        "model_not_found": FailureKind.MODEL_FORBIDDEN,
        "invalid_request": FailureKind.BAD_REQUEST,
    }
)


# If a 400 names no field, only its text says that it is about the account or the program rather than the request
# (observed; the type is always invalid_request_error).
_OF_A_FIELD: Final = re.compile(r"[a-z_]+(?:\.[\w$]+)*: ")
_ACCOUNT_TEXTS: Final[Mapping[str, FailureKind]] = MappingProxyType(
    {
        "extra usage": FailureKind.BILLING,
        "usage limit": FailureKind.BILLING,
        "credit balance": FailureKind.BILLING,
        "organization has been disabled": FailureKind.AUTHENTICATION,
        "client version": FailureKind.CLI,
    }
)

# From the upstream, or from the CLI itself before it asks.
_TOO_LONG: Final = frozenset(("prompt_too_long", "blocking_limit"))


def classify(
    status: int | None,
    error: str | None,
    error_type: str | None,
    terminal_reason: str | None = None,
    text: str = "",
) -> FailureKind:
    """The kind of a failed turn, from ``api_error_status``, ``error`` and ``api_error_type`` of its assistant line.

    The result line's ``terminal_reason`` is the only field that distinguishes a prompt that is too long from other bad
    requests. ``text``: the upstream's own, useful if the fields say nothing but 400.

    Order: quota before rate limit, then the most precise evidence first. If nothing is known, it is the CLI's fault.
    """
    if error == "billing_error":
        return FailureKind.BILLING
    if terminal_reason in _TOO_LONG:
        return FailureKind.TOO_LONG
    sure = _SURE_TYPES.get(error_type or "")
    if sure is not None:
        return sure
    if status == 404 and not error_type:
        return FailureKind.UNAVAILABLE  # a wrong path: no such API answers like this
    if status == 400:
        return _of_bad_request(text)
    if status is not None and status >= 400:
        return _STATUSES.get(status, FailureKind.UNAVAILABLE if status >= 500 else FailureKind.BAD_REQUEST)
    return _TYPES.get(error_type or "") or _ERRORS.get(error or "", FailureKind.CLI)


def _of_bad_request(text: str) -> FailureKind:
    if _OF_A_FIELD.match(text):
        return FailureKind.BAD_REQUEST
    lower = text.lower()
    return next((kind for words, kind in _ACCOUNT_TEXTS.items() if words in lower), FailureKind.BAD_REQUEST)


def error_for(
    kind: FailureKind,
    *,
    retry_after: float | None = None,
    keys: bool = True,
    refused: bool = False,
    disabled: bool = False,
    detail: str = "",
) -> GatewayError:
    """What the caller is told when nothing is left to try.

    ``retry_after``: seconds until the first key is available. ``keys``: whether there are any, or only the CLI's login.
    ``refused``: whether other keys were rejected. ``disabled``: whether all keys are disabled. ``detail``: what the
    upstream says about the request; redacted.
    """
    rule = FAILURES[kind]
    message = rule.message
    if kind is FailureKind.AUTHENTICATION and (disabled or not keys):
        message = ALL_DISABLED if disabled else NO_LOGIN
    if kind is FailureKind.BILLING and refused:
        message = SPENT_OR_REFUSED
    if kind is FailureKind.BAD_REQUEST and detail:
        message = f"cannot answer: the upstream rejected this request as invalid: {detail}"
    return rule.error(message, retry_after=retry_after)


def backoff_seconds(attempt: int, chance: float) -> float:
    """How long to wait before retry ``attempt`` (0 is the first retry); ``chance`` in 0..1 is the jitter.

    Between half and all of the doubled time, so that requests that failed together do not retry together.
    """
    full = min(BACKOFF_MAX_SECONDS, BACKOFF_FIRST_SECONDS * 2.0 ** min(attempt, 16))
    return full * (0.5 + 0.5 * chance)
