from __future__ import annotations

from typing import Any

import pytest

from claudegwd.config.environment import OLDER_NAMES_NOT_READ, read_environment, variable_of
from claudegwd.config.fields import KEYS
from claudegwd.config.problems import ConfigError


def values(env: dict[str, str]) -> dict[str, Any]:
    return {key: found.value for key, found in read_environment(env).overrides.items()}


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("CLAUDEGWD_SERVER__BIND", "127.0.0.1:1, [::1]:2", "server.bind", ["127.0.0.1:1", "[::1]:2"]),
        ("CLAUDEGWD_SERVER__BIND", '["127.0.0.1:1"]', "server.bind", ["127.0.0.1:1"]),
        ("CLAUDEGWD_SERVER__ALLOWED_HOSTS", "", "server.allowed_hosts", []),
        ("CLAUDEGWD_CLAUDE__ALIASES", "gpt-4o=a,gpt-4 = b", "claude.aliases", {"gpt-4o": "a", "gpt-4": "b"}),
        ("CLAUDEGWD_CLAUDE__ALIASES", '{"gpt-4o": "sonnet"}', "claude.aliases", {"gpt-4o": "sonnet"}),
        ("CLAUDEGWD_LIMITS__QUEUE", " 7 ", "limits.queue", 7),
        ("CLAUDEGWD_LIMITS__QUEUE", "7.5", "limits.queue", 7.5),
        ("CLAUDEGWD_LIMITS__QUEUE", "many", "limits.queue", "many"),
        ("CLAUDEGWD_WORKERS__RECYCLE", "Yes", "workers.recycle", True),
        ("CLAUDEGWD_WORKERS__RECYCLE", "off", "workers.recycle", False),
        ("CLAUDEGWD_AUTH__REQUIRED", "AUTO", "auth.required", "auto"),
        ("CLAUDEGWD_AUTH__REQUIRED", "0", "auth.required", False),
        ("CLAUDEGWD_LOG__LEVEL", "DEBUG", "log.level", "debug"),
        ("CLAUDEGWD_CLAUDE__BINARY", "/opt/Claude", "claude.binary", "/opt/Claude"),
        ("REQUIRE_AUTH", "True", "auth.required", True),
        ("RATE_LIMIT_REQUESTS_PER_MINUTE", "5", "limits.requests_per_minute", 5),
        ("CLAUDE_BINARY_PATH", "/opt/claude", "claude.binary", "/opt/claude"),
    ],
)  # fmt: skip
def test_texts_become_values(variable: str, text: str, key: str, value: object) -> None:
    assert values({variable: text}) == {key: value}


def test_every_key_has_a_variable() -> None:
    for key, field in KEYS.items():
        text = "a=b" if field.kind is dict else "1"
        assert list(read_environment({variable_of(field): text}).overrides) == [key]


def test_our_own_name_wins_over_the_older_one() -> None:
    assert values({"REQUIRE_AUTH": "false", "CLAUDEGWD_AUTH__REQUIRED": "true"}) == {"auth.required": True}


def test_an_empty_older_variable_is_not_set() -> None:
    assert values({"CLAUDE_BINARY_PATH": "", "API_KEYS": "", "CLAUDE_API_KEYS": ""}) == {}


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("CLAUDEGWD_SERVER__BND", "CLAUDEGWD_SERVER__BIND"),
        ("CLAUDEGWD_WORKER__MAX", "CLAUDEGWD_WORKERS__MAX"),
    ],
)
def test_an_unknown_setting_is_an_error(variable: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"{variable} is not a setting of claudegwd: did you mean {near}\\?"):
        read_environment({variable: "1"})


def test_a_single_underscore_is_a_warning() -> None:
    found = read_environment({"CLAUDEGWD_SERVER_BIND": "x"})
    assert found.warnings == ("CLAUDEGWD_SERVER_BIND is set but ignored: did you mean CLAUDEGWD_SERVER__BIND?",)


def test_variables_that_are_no_settings() -> None:
    found = read_environment({"CLAUDEGWD_CONFIG": "/x", "CLAUDEGWD_SOCKET": "/y", "PATH": "/bin"})
    assert (found.overrides, found.warnings) == ({}, ())


@pytest.mark.parametrize("variable", sorted(OLDER_NAMES_NOT_READ))
def test_other_settings_of_the_older_gateway_are_told_what_to_set(variable: str) -> None:
    (warning,) = read_environment({variable: "secret"}).warnings
    assert warning.startswith(f"{variable} is set but ignored: ")
    assert "secret" not in warning


@pytest.mark.parametrize("text", ["sk-false-1,sk-false-2", '["sk-false-1", "sk-false-2"]', " sk-false-1 , sk-false-2,"])
def test_client_keys_of_the_older_gateway(text: str) -> None:
    found = read_environment({"API_KEYS": text})
    assert found.secrets.api_keys == ("sk-false-1", "sk-false-2")
    (warning,) = found.warnings
    assert "2 keys in API_KEYS are shorter than 22 characters" in warning


def test_a_long_client_key_needs_no_warning() -> None:
    assert read_environment({"API_KEYS": "sk-false-0123456789012345"}).warnings == ()


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("API_KEYS", '["sk-false-1"', "is not valid JSON at character 14"),
        ("API_KEYS", '["sk-false-1", 2]', "must be a list of keys"),
        ("CLAUDEGWD_CLAUDE__ALIASES", "sk-false-1", "must be a list of pairs"),
        ("CLAUDEGWD_CLAUDE__ALIASES", '{"sk-false-1"', "is not valid JSON"),
    ],
)
def test_broken_values_are_refused_without_showing_them(variable: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        read_environment({variable: text})
    assert caught.value.key == variable
    assert "sk-false" not in str(caught.value)
    assert caught.value.__cause__ is None
