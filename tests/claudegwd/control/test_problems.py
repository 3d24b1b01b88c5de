from __future__ import annotations

import pytest

from claudegwd.config import ConfigError
from claudegwd.control.problems import ControlRefusal, error_body, refusal_of
from claudegwd.keys.answers import CannotRotate, UnknownKey
from claudegwd.keys.parse import KeysError
from claudegwd.openai_api.errors import ShuttingDown
from claudegwd.store.database import StateError
from claudegwd.workers.cli.binary import NoCliError


@pytest.mark.parametrize(
    ("error", "status", "code", "text"),
    [
        (ControlRefusal(409, "conflict", "cannot x"), 409, "conflict", "cannot x"),
        (ConfigError("f", "k", "is wrong"), 422, "invalid_configuration", "cannot use f: k is wrong"),
        (KeysError("cannot read f", origin="f"), 422, "invalid_keys", "cannot read f"),
        (NoCliError("cannot run x"), 422, "no_cli", "cannot run x"),
        (StateError("cannot write the state"), 503, "no_state", "cannot write the state"),
        (UnknownKey("cannot find key 'x'"), 404, "not_found", "cannot find key 'x'"),
        (CannotRotate("cannot rotate"), 409, "cannot_rotate", "cannot rotate"),
        (ShuttingDown("cannot take it: stopping"), 503, ShuttingDown("x").code, "cannot take it: stopping"),
    ],
)
def test_errors_that_tell_what_to_do(error: Exception, status: int, code: str, text: str) -> None:
    refused = refusal_of(error)
    assert refused is not None
    assert (refused.status, refused.code, refused.message) == (status, code, text)


def test_others_are_not_foreseen() -> None:
    assert refusal_of(RuntimeError("secret")) is None
    assert refusal_of(KeyError("secret")) is None


def test_no_token_in_an_answer() -> None:
    body = error_body(ControlRefusal(400, "x", "cannot use sk-false-0123456789"))
    assert body == {"error": {"message": "cannot use [redacted]", "code": "x"}}
