"""Failures in words for people, as a key's last error; the names of the kinds are for logs and metrics."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from claudegwd.keys.failures import FailureKind

_WORDS: Final[Mapping[FailureKind, str]] = MappingProxyType(
    {
        FailureKind.AUTHENTICATION: "rejected as invalid",
        FailureKind.BILLING: "out of credit",
        FailureKind.RATE_LIMIT: "rate limited",
        FailureKind.MODEL_FORBIDDEN: "no access to the model",
        FailureKind.UNAVAILABLE: "upstream unavailable",
        FailureKind.BAD_REQUEST: "request rejected as invalid",
        FailureKind.TOO_LONG: "prompt too long",
        FailureKind.CLI: "the Claude Code CLI failed",
        FailureKind.UNREAD: "answer not read by the client",
        FailureKind.LATE: "no complete answer in time",
        FailureKind.SILENT: "no answer in time",
    }
)


def in_words(kind: FailureKind, status: int | None = None, detail: str = "") -> str:
    """What failed, for people, with the upstream's status and words, if any."""
    return _WORDS[kind] + (f" ({status})" if status else "") + (f": {detail}" if detail else "")
