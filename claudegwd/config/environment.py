"""Settings from environment variables: CLAUDEGWD_<SECTION>__<KEY>, and the names of the older gateway. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Union

from claudegwd.config.fields import FIELDS, Field, is_choice, nearest
from claudegwd.config.problems import ConfigError

PREFIX: Final = "CLAUDEGWD_"
ENVIRONMENT: Final = "the environment"
COMMAND_LINE: Final = "the command line"
# The program puts it among the variables, as a JSON list. No shell can set a variable of this name by mistake.
BIND_OPTION: Final = "--bind"

# Variables with our prefix that are not keys of config.toml.
NO_SETTINGS: Final = frozenset({"CLAUDEGWD_CONFIG", "CLAUDEGWD_SOCKET"})

# Names of the older gateway with the same meaning here.
OLDER_NAMES: Final[Mapping[str, str]] = {
    "REQUIRE_AUTH": "auth.required",
    "RATE_LIMIT_REQUESTS_PER_MINUTE": "limits.requests_per_minute",
    "CLAUDE_BINARY_PATH": "claude.binary",
}

# Its other names, and what to set instead: they are too general to be meant for us, or have no equivalent.
OLDER_NAMES_NOT_READ: Final[Mapping[str, str]] = {
    "HOST": 'set bind = ["HOST:PORT"] under [server]',
    "PORT": 'set bind = ["127.0.0.1:PORT"] under [server]',
    "DEFAULT_MODEL": "set default_model under [claude]",
    "LOG_LEVEL": "set level under [log]",
    "ALLOWED_ORIGINS": "set cors_origins under [server]",
    "MAX_CONCURRENT_SESSIONS": "set max under [workers]",
    "SESSION_TIMEOUT_MINUTES": "set idle_seconds under [workers]",
    "STREAMING_TIMEOUT_SECONDS": "set request_seconds under [limits]",
    "RATE_LIMIT_BURST": "the burst is requests_per_minute under [limits]",
    "CLAUDE_AUTO_ROTATE": "keys always rotate automatically",
    "PROJECT_ROOT": "there are no project directories",
    "DATABASE_URL": "the state is kept in the state directory",
}

# 128 bits, the least that cannot be guessed, are 22 characters in base64.
SHORT_CLIENT_KEY: Final = 22

_IPV6: Final = re.compile(r"\[[0-9a-fA-F:.%]*\]:")  # the start of an address with a port, but not of JSON

_WORDS: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


@dataclass(frozen=True)
class Secrets:
    """Values from the environment that nobody may see: kept apart from the configuration, which may be shown.

    `api_keys` are clients' keys (API_KEYS); `claude_api_keys` is the JSON of upstream keys (CLAUDE_API_KEYS).
    """

    api_keys: tuple[str, ...] = field(default=(), repr=False)
    claude_api_keys: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Override:
    """One value from the environment, still unchecked, like one from the file."""

    variable: str
    value: Any


@dataclass(frozen=True)
class FromEnvironment:
    overrides: Mapping[str, Override]
    secrets: Secrets
    warnings: tuple[str, ...]


def read_environment(env: Mapping[str, str]) -> FromEnvironment:
    """All settings in `env`, by "section.name". Our own names win over the older ones."""
    overrides: dict[str, Override] = {}
    warnings: list[str] = []
    for variable, key in OLDER_NAMES.items():
        # The older gateway treated an empty variable as unset.
        if env.get(variable):
            section, name = key.split(".")
            overrides[key] = Override(variable, _parse(FIELDS[section][name], env[variable], variable))
    for variable in sorted(env):
        if variable in OLDER_NAMES_NOT_READ:
            warnings.append(f"{variable} is set but ignored: {OLDER_NAMES_NOT_READ[variable]}")
        if not variable.startswith(PREFIX) or variable in NO_SETTINGS:
            continue
        if "__" not in variable:
            warnings.append(f"{variable} is set but ignored: {_nearest_variable(variable)}")
            continue
        target = _field_of(variable)
        overrides[target.key] = Override(variable, _parse(target, env[variable], variable))
    if BIND_OPTION in env:
        overrides["server.bind"] = Override(BIND_OPTION, json.loads(env[BIND_OPTION]))
    secrets, notes = _secrets(env)
    return FromEnvironment(overrides, secrets, (*warnings, *notes))


def origin_of(variable: str) -> tuple[str, str]:
    """What an error about a value from there should mention."""
    return COMMAND_LINE if variable.startswith("--") else ENVIRONMENT, variable


def variable_of(target: Field) -> str:
    """The environment variable of a key."""
    return f"{PREFIX}{target.section}__{target.name}".upper()


def _field_of(variable: str) -> Field:
    section, _, name = variable.removeprefix(PREFIX).lower().partition("__")
    known = FIELDS.get(section, {}).get(name)
    if known is None:
        raise ConfigError(ENVIRONMENT, variable, f"is not a setting of claudegwd: {_nearest_variable(variable)}")
    return known


def _nearest_variable(variable: str) -> str:
    known = {variable_of(target).lower(): variable_of(target) for part in FIELDS.values() for target in part.values()}
    near = nearest(variable, known)
    return f"did you mean {known[near]}?" if near else "settings are named CLAUDEGWD_<SECTION>__<KEY>"


def _parse(target: Field, text: str, variable: str) -> Any:
    """A variable's text as the value that its key would have in config.toml."""
    kind = target.kind
    stripped = text.strip()
    if kind is tuple:
        return _list(stripped, variable)
    if kind is dict:
        return _table(stripped, variable)
    if kind is bool or (kind is Union and is_choice(target)):
        return _WORDS.get(stripped.lower(), stripped.lower())
    if kind is int or kind is float:
        return _number(stripped)
    if kind is Union and stripped.startswith("["):
        return _json(stripped, variable)
    return stripped.lower() if is_choice(target) else stripped


def _number(text: str) -> int | float | str:
    for form in (int, float):
        try:
            return form(text)
        except ValueError:
            continue
    return text


def _list(text: str, variable: str) -> list[Any]:
    if not text.startswith("[") or _IPV6.match(text):
        return [item.strip() for item in text.split(",") if item.strip()]
    value = _json(text, variable)
    return value if isinstance(value, list) else [value]


def _table(text: str, variable: str) -> Any:
    if text.startswith("{"):
        return _json(text, variable)
    pairs: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(ENVIRONMENT, variable, "must be a list of pairs, such as gpt-4o=sonnet,gpt-4=opus")
        pairs[name.strip()] = value.strip()
    return pairs


def _json(text: str, variable: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        # Only the position: the text itself may be a secret in the wrong variable.
        place = f" at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
        raise ConfigError(ENVIRONMENT, variable, f"is not valid JSON{place}") from None


def _secrets(env: Mapping[str, str]) -> tuple[Secrets, tuple[str, ...]]:
    keys = _list(env.get("API_KEYS", "").strip(), "API_KEYS")
    if not all(isinstance(key, str) and key for key in keys):
        raise ConfigError(ENVIRONMENT, "API_KEYS", "must be a list of keys, comma-separated or JSON")
    short = sum(len(key) < SHORT_CLIENT_KEY for key in keys)
    warnings: tuple[str, ...] = ()
    if short:
        subject = "a key in API_KEYS is" if short == 1 else f"{short} keys in API_KEYS are"
        mend = "`claudegwctl clients create NAME` creates a strong one"
        warnings = (f"{subject} shorter than {SHORT_CLIENT_KEY} characters and may be guessable: {mend}",)
    return Secrets(tuple(keys), env.get("CLAUDE_API_KEYS") or None), warnings
