"""Turns plain values into a `Config`: first the type and range of each key, then checks across keys. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from claudegwd.config.binds import HOST_NAME, check_binds, is_loopback
from claudegwd.config.fields import FIELDS, KEYS, Field, nearest, shown
from claudegwd.config.notify import check_notify
from claudegwd.config.problems import ConfigError, Errors
from claudegwd.config.schema import Config
from claudegwd.config.shared import check_shared

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}  # a browser omits them


def flatten(data: Mapping[str, Any], file: str, errors: Errors | None = None) -> dict[str, Any]:
    """The tables of a config.toml as {"section.name": value}; an unknown key or section is an error.

    With `errors`, such errors are added there, for `build` to raise with those of the values.
    """
    flat: dict[str, Any] = {}
    found = errors if errors is not None else Errors()
    for section, table in data.items():
        if section not in FIELDS:
            found.add(ConfigError(file, section, _unknown_section(section, table)))
        elif not isinstance(table, dict):
            text = f"is a section: put [{section}] on a line of its own, and its settings below"
            found.add(ConfigError(file, section, text))
        else:
            for name in (name for name in table if name not in FIELDS[section]):
                found.add(ConfigError(file, f"{section}.{name}", _unknown_key(section, name)))
            flat |= {f"{section}.{name}": value for name, value in table.items() if name in FIELDS[section]}
    if errors is None:
        found.done()
    return flat


def build(values: Mapping[str, Any], origin: Callable[[str], tuple[str, str]], errors: Errors | None = None) -> Config:
    """Check every value and combine them. `origin` returns the file and name that an error about a key should mention.

    Raises one ConfigError with everything that is wrong, including what is in `errors`.
    """
    errors = errors if errors is not None else Errors()
    parts: dict[str, dict[str, Any]] = {section: {} for section in FIELDS}
    for key, value in values.items():
        target = KEYS[key]
        try:
            parts[target.section][target.name] = _convert(target, value, origin)
        except ConfigError as error:
            errors.add(error)
    errors.done()
    config = Config(**{section: msgspec.convert(table, _struct(section)) for section, table in parts.items()})
    checks = (
        check_binds,
        _check_names,
        _check_proxies,
        _check_fallback,
        _check_auth,
        _check_workers,
        check_notify,
        check_shared,
        _check_cli,
    )
    for check in checks:
        found = check(config)
        if found is not None:
            file, name = origin(found[0])
            errors.add(ConfigError(file, name, found[1]))
    errors.done()
    return config


def auth_required(config: Config, binds: Sequence[str] | None = None) -> bool:
    """What `auth.required` amounts to: `auto` requires a key unless every bind is loopback.

    `binds` are the actual addresses, if not those of the configuration (a .socket unit may pass others). Even then,
    authentication cannot be off where others can reach us: ConfigError.
    """
    where = config.server.bind if binds is None else binds
    if config.auth.required == "auto":
        return not all(is_loopback(bind) for bind in where)
    if not config.auth.required and (refusal := _open_to_others(where)):
        raise ConfigError("the configuration", "auth.required", refusal)
    return config.auth.required


def _struct(section: str) -> Any:
    return type(getattr(_DEFAULTS, section))


_DEFAULTS: Final = Config()


def _convert(target: Field, value: Any, origin: Callable[[str], tuple[str, str]]) -> Any:
    try:
        converted = msgspec.convert(value, target.type)
    except (msgspec.ValidationError, UnicodeError):  # UnicodeError: a variable that is not UTF-8
        converted = None
    # TOML has nan, which passes every comparison.
    if converted is None or converted != converted:
        file, name = origin(target.key)
        raise ConfigError(file, name, f"must be {target.allowed}, not {_culprit(target, value)}")
    return converted


def _culprit(target: Field, value: Any) -> str:
    """The part of a list or table that is wrong, else the whole value."""
    if target.kind is tuple and isinstance(value, list):
        for item in value:
            if not _fits([item], target):
                return f"a list with {shown(item)}"
    if target.kind is dict and isinstance(value, dict):
        for name, item in value.items():
            if not _fits({name: item}, target):
                return f"a table with {shown(name)} = {shown(item)}"
    return shown(value)


def _fits(value: Any, target: Field) -> bool:
    try:
        msgspec.convert(value, target.type)
    except (msgspec.ValidationError, UnicodeError):
        return False
    return True


def _unknown_section(section: str, table: object) -> str:
    if not isinstance(table, dict):
        for key, target in KEYS.items():
            if target.name == section:
                return f"is outside any section: move it below [{target.section}] ({key})"
    known = {name: f"[{name}]" for name in FIELDS} | {"workspaces": "[workspaces.NAME]"}
    near = nearest(section, known)
    meant = f"did you mean {known[near]}?" if near else "the sections are " + ", ".join(known.values())
    return f"is an unknown section: {meant}"


def _unknown_key(section: str, name: str) -> str:
    near = nearest(name, FIELDS[section])
    if near:
        return f"is an unknown setting; did you mean {section}.{near}?"
    elsewhere = nearest(name, [target.name for target in KEYS.values()])
    for key, target in KEYS.items():
        if target.name == elsewhere:
            return f"is an unknown setting; did you mean {key}?"
    return f"is an unknown setting: [{section}] has " + ", ".join(FIELDS[section])


def _check_names(config: Config) -> tuple[str, str] | None:
    for host in config.server.allowed_hosts:
        # DNS does not allow underscores, but the names of containers have them.
        if not HOST_NAME.fullmatch(host.replace("_", "x")) or host != host.lower():
            return "server.allowed_hosts", (
                f'cannot contain {shown(host)}: use a bare host name in lower case, such as "gateway.lan"'
            )
    for host in config.server.fetch_hosts:
        if host != "*" and not HOST_NAME.fullmatch(host.removeprefix(".")):
            return "server.fetch_hosts", (
                f'cannot contain {shown(host)}: use a bare host name, ".example.org" for all its subdomains, or "*"'
            )
    for origin in config.server.cors_origins:
        if not _is_origin(origin):
            return "server.cors_origins", (
                f"cannot contain {shown(origin)}: give each origin as scheme and host in lower case, without a path "
                'and without port 80 or 443 where it is the default, such as "https://chat.lan"'
            )
    for alias, model in config.claude.aliases.items():
        if model in config.claude.aliases:
            return "claude.aliases", f"maps {shown(alias)} to another alias: name the model itself"
    return None


def _check_proxies(config: Config) -> tuple[str, str] | None:
    for network in config.server.trusted_proxies:
        try:
            prefix = ipaddress.ip_network(network).prefixlen
        except ValueError:
            return "server.trusted_proxies", (
                f'cannot contain {shown(network)}: use an address such as "10.0.0.5" or a network such as '
                '"10.0.0.0/24", with all host bits zero'
            )
        if not prefix:
            return "server.trusted_proxies", (
                f"cannot contain {shown(network)}: everybody could then claim any address; list only your proxies"
            )
    return None


def _check_fallback(config: Config) -> tuple[str, str] | None:
    """A model that falls back to itself would be asked over and over."""
    fallback = config.claude.fallback
    for name in fallback:
        seen: set[str] = set()
        waiting = list(fallback[name])
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                waiting += fallback.get(one, ())
        if name in seen:
            return "claude.fallback", f"leads from {shown(name)} back to itself: remove one of the steps in between"
    return None


def _is_origin(text: str) -> bool:
    """As a browser sends it. No "*": any web page could then spend the account's money."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    rebuilt = f"{parts.scheme}://{parts.netloc}"
    return bool(
        parts.scheme
        and host
        and text == text.lower()
        and text.isascii()  # a browser sends the xn-- form
        and "@" not in parts.netloc
        and rebuilt == text
        and port not in (0, _DEFAULT_PORTS.get(parts.scheme, 0))
    )


def _check_auth(config: Config) -> tuple[str, str] | None:
    if config.auth.required is not False:
        return None
    refusal = _open_to_others(config.server.bind)
    return ("auth.required", refusal) if refusal else None


def _open_to_others(binds: Sequence[str]) -> str | None:
    for bind in binds:
        if not is_loopback(bind):
            return (
                f"cannot be false while server.bind contains {shown(bind)}, which other machines can reach: set it "
                "to true (`claudegwctl clients create NAME` prints a key), or bind to 127.0.0.1 only"
            )
    return None


def _check_workers(config: Config) -> tuple[str, str] | None:
    if config.workers.spares > config.workers.max:
        return "workers.spares", (
            f"cannot be {config.workers.spares} while workers.max is {config.workers.max}: that maximum includes "
            "the spares"
        )
    return None


def _check_cli(config: Config) -> tuple[str, str] | None:
    if config.claude.binary == "auto" or config.claude.version == "pinned":
        return None
    return "claude.version", "cannot be combined with claude.binary, which already names a CLI: remove one of them"
