from __future__ import annotations

import msgspec
import pytest

from claudegwd.config.check import build
from claudegwd.config.schema import Config, WorkersConfig


def test_the_defaults_would_pass_the_checks() -> None:
    assert build({}, lambda key: ("", key)) == Config()
    assert msgspec.convert(msgspec.to_builtins(Config()), Config) == Config()


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Config().workers.max = 3  # type: ignore[misc]


def test_unknown_fields_are_refused_here_too() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"mx": 1}, WorkersConfig)
