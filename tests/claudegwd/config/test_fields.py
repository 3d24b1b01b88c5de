from __future__ import annotations

import pytest

from claudegwd.config.fields import FIELDS, KEYS, is_choice, nearest, shown, value_of
from claudegwd.config.schema import Config


def test_every_key_says_what_may_be_written() -> None:
    for field in KEYS.values():
        assert field.allowed
        assert not field.allowed.endswith(".")


def test_every_default_is_the_schemas() -> None:
    config = Config()
    for key, field in KEYS.items():
        assert value_of(config, key) == field.default


def test_the_kinds_of_values() -> None:
    kinds = {key: field.kind for key, field in KEYS.items()}
    assert kinds["server.bind"] is tuple
    assert kinds["claude.aliases"] is dict
    assert kinds["limits.queue"] is int
    assert kinds["limits.queue_seconds"] is float
    assert kinds["claude.default_model"] is str
    assert [key for key, field in KEYS.items() if is_choice(field)] == [
        "auth.required", "claude.system", "workers.carrier", "keys.order", "responses.keep", "log.level", "log.format"
    ]  # fmt: skip


def test_the_nearest_name() -> None:
    assert nearest("Bnd", FIELDS["server"]) == "bind"
    assert nearest("zzzzzz", FIELDS["server"]) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (3, "3"),
        ("x", '"x"'),
        ("x" * 41, "a string of 41 characters"),
        ("sk-false-0123456789", '"[redacted]"'),
        ([], "an empty list"),
        ([1], "a list"),
        ({}, "a table"),
        (None, "a NoneType"),
    ],
)
def test_wrong_values_as_error_texts_show_them(value: object, text: str) -> None:
    assert shown(value) == text
