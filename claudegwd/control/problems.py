"""Errors of the control API: status, code, and a text that says how to fix it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from claudegwd.config import ConfigError
from claudegwd.keys.answers import CannotRotate, UnknownKey
from claudegwd.keys.file import KeysReadOnly
from claudegwd.keys.parse import KeysError
from claudegwd.openai_api.errors import GatewayError
from claudegwd.redact import redact
from claudegwd.store.database import StateError
from claudegwd.workers.cli.binary import NoCliError
from claudegwd.workspaces.approvals import UnknownApproval


class ControlRefusal(Exception):  # noqa: N818 - it names what was done
    """A refusal by the control API itself. `message` begins "cannot …"."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class BadRequest(ControlRefusal):
    """The request itself is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "invalid_request", message)


# Errors of lower layers whose texts are for the caller; subclasses come first.
KNOWN: Final[Mapping[type[Exception], tuple[int, str]]] = {
    ConfigError: (422, "invalid_configuration"),
    KeysReadOnly: (409, "read_only"),
    KeysError: (422, "invalid_keys"),
    NoCliError: (422, "no_cli"),
    StateError: (503, "no_state"),
    UnknownKey: (404, "not_found"),
    UnknownApproval: (404, "not_found"),
    CannotRotate: (409, "cannot_rotate"),
}


def refusal_of(error: Exception) -> ControlRefusal | None:
    """The refusal for an error; None if it is unexpected."""
    if isinstance(error, ControlRefusal):
        return error
    if isinstance(error, GatewayError):
        return ControlRefusal(error.status, error.code or "refused", error.message)
    for kind, (status, code) in KNOWN.items():
        if isinstance(error, kind):
            # str() of a LookupError quotes its text.
            return ControlRefusal(status, code, str(error.args[0]) if error.args else str(error))
    return None


def error_body(refused: ControlRefusal) -> dict[str, Any]:
    return {"error": {"message": redact(refused.message), "code": refused.code}}
