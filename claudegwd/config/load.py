"""Loads the configuration: the file, overridden by the environment."""

from __future__ import annotations

import grp
import os
import shutil
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from claudegwd import contract
from claudegwd.config.check import build, flatten
from claudegwd.config.environment import (
    COMMAND_LINE,
    ENVIRONMENT,
    FromEnvironment,
    Secrets,
    origin_of,
    read_environment,
)
from claudegwd.config.fields import KEYS, value_of
from claudegwd.config.machine import machine, workers_for
from claudegwd.config.notify import words_of
from claudegwd.config.places import OwnPlaces, check_places, files_named
from claudegwd.config.problems import ConfigError, Errors
from claudegwd.config.schema import Config
from claudegwd.config.workspaces import read_workspaces

# Variables with a path that may begin with "~".
_PATHS_IN_ENVIRONMENT: Final = ("CLAUDEGWD_CONFIG", "CLAUDEGWD_SOCKET", "CLAUDE_CONFIG_DIR")
# A real configuration has a few hundred bytes; this keeps /dev/zero or a log file from filling the memory.
MAX_FILE_BYTES: Final = 1_048_576


@dataclass(frozen=True)
class Loaded:
    """A configuration and where it came from.

    `path` is where config.toml is or would be; `exists` says which. `sources` names, for each key that is not at its
    default, "file" or the environment variable. `warnings` are lines for the log, without secrets.
    """

    config: Config
    path: Path
    exists: bool
    sources: Mapping[str, str]
    secrets: Secrets
    warnings: tuple[str, ...]

    def origin(self, key: str) -> tuple[str, str]:
        """The file and name that an error about this key should mention."""
        source = self.sources.get(key, "file")
        return (str(self.path), key) if source == "file" else origin_of(source)


_NO_RECYCLING = "workers.recycle no longer has any effect, since processes are always reused: remove it"
_CONTENT_IS_LOGGED = "log.content is on: questions and answers are written to the log; turn it off when you are done"


def load(path: Path | None, env: Mapping[str, str]) -> Loaded:
    """Read and check config.toml and the environment. Raises `ConfigError`.

    `path` is the option `--config`; without it CLAUDEGWD_CONFIG and the default path are tried. A file that was
    specified must exist; the one at the default path may be missing.
    """
    for name in _PATHS_IN_ENVIRONMENT:
        _check_home(env.get(name, ""), ENVIRONMENT, name)
    _check_home(str(path or ""), COMMAND_LINE, "--config")
    usual, named = contract.config_path(env)
    file = path.expanduser().absolute() if path is not None else usual
    text = _read(file, must_exist=named or path is not None)
    errors = Errors()
    tables = _parse(text, file) if text is not None else {}
    workspaces = read_workspaces(tables.pop("workspaces", {}), str(file), errors)
    values = flatten(tables, str(file), errors)
    given = read_environment(env)
    sources = dict.fromkeys(values, "file") | {key: found.variable for key, found in given.overrides.items()}
    merged = values | {key: found.value for key, found in given.overrides.items()}
    config = build(merged, lambda key: _origin(key, file, given), errors)
    for key in KEYS:
        value = value_of(config, key)
        for each in value if isinstance(value, tuple) else (value,):
            _check_home(str(each), *_origin(key, file, given))
    config = replace(config, workspaces=workspaces)
    check_places(workspaces, str(file), _own_places(config, file, env), errors)
    errors.done()
    _check_socket(config.control.socket, *_origin("control.socket", file, given))
    _check_group(config.control.group, *_origin("control.group", file, given))
    _check_program(config.notify.command, *_origin("notify.command", file, given))
    if "workers.max" not in sources:
        config = replace(config, workers=replace(config.workers, max=workers_for(*machine())))
    warnings = (
        *given.warnings,
        *([_NO_RECYCLING] if "workers.recycle" in sources else []),
        *([_CONTENT_IS_LOGGED] if config.log.content else []),
    )
    return Loaded(config, file, text is not None, sources, given.secrets, warnings)


def _own_places(config: Config, file: Path, env: Mapping[str, str]) -> OwnPlaces:
    """Where the daemon keeps what nobody who works in a workspace may see or change."""
    secret = [
        file, file.parent / "env.sh", contract.keys_path(env, file, config.keys.file), contract.state_directory(env),
        Path(env.get("CLAUDE_CONFIG_DIR") or f"{env.get('HOME', '~')}/.claude").expanduser(),
        *(file.parent / Path(named).expanduser() for named in files_named(config)),
    ]  # fmt: skip
    with suppress(OSError):
        secret.append(contract.daemon_socket_path(env, config.control.socket))
    if credentials := env.get("CREDENTIALS_DIRECTORY"):
        secret.append(Path(credentials))
    libraries = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    programs = [Path(sys.executable), Path(contract.__file__).parent, *map(Path, libraries)]
    with suppress(ValueError):  # reported elsewhere
        programs += map(Path, words_of(config.notify.command)[:1])
    cli = (
        shutil.which(contract.CLI_NAME, path=env.get("PATH"))
        if config.claude.binary == "auto"
        else config.claude.binary
    )
    if cli is not None:
        programs.append(Path(cli).expanduser())
    return OwnPlaces(secret, [path for path in programs if path.is_absolute()], Path(tempfile.gettempdir()))


def _origin(key: str, file: Path, given: FromEnvironment) -> tuple[str, str]:
    if key in given.overrides:
        return origin_of(given.overrides[key].variable)
    return str(file), key


def _check_home(path: str, file: str, name: str) -> None:
    """Checked here: whatever expands such a path later raises RuntimeError."""
    try:
        Path(path).expanduser()
    except RuntimeError:
        user = path.partition("/")[0]
        raise ConfigError(
            file,
            name,
            f'begins with "{user}", but there is no such user: "~/" is the home directory of the daemon\'s user',
        ) from None


def _check_socket(path: str, file: str, name: str) -> None:
    """Checked here for the same reason as the group."""
    length = len(os.fsencode(Path(path).expanduser().absolute())) if path else 0
    if length > contract.MAX_SOCKET_PATH_BYTES:
        raise ConfigError(
            file, name, f"is a path of {length} bytes, but that of a socket can have at most "
            f"{contract.MAX_SOCKET_PATH_BYTES}: choose a shorter one",
        )  # fmt: skip


def _check_group(group: str, file: str, name: str) -> None:
    """Checked here, as the setting waits for a restart: a reload would accept what the restart then fails on."""
    if not group:
        return
    try:
        grp.getgrnam(group)
    except (KeyError, ValueError):  # ValueError: a NUL
        raise ConfigError(
            file, name, f"names a group that does not exist: create it (`groupadd --system {group}`) or choose another"
        ) from None


def _check_program(command: str | tuple[str, ...], file: str, name: str) -> None:
    """Checked here: when there is something to report, it is too late to find out."""
    words = words_of(command)
    if words and shutil.which(words[0]) is None:
        raise ConfigError(
            file, name, "names a program that does not exist, or that the daemon's user may not run: give its full "
            'path, such as "/usr/local/bin/tell-me"',
        )  # fmt: skip


def _read(file: Path, *, must_exist: bool) -> bytes | None:
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_FILE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        if must_exist:
            raise ConfigError(str(file), "", "there is no such file; create it, or choose another") from None
        return None
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise ConfigError(str(file), "", f"{reason}; make it readable for the daemon's user") from None
    if len(text) > MAX_FILE_BYTES:
        raise ConfigError(str(file), "", f"it is larger than {MAX_FILE_BYTES} bytes; is it the right file?")
    return text


def _parse(text: bytes, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise ConfigError(str(file), "", f"line {line} is not UTF-8; save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        # The parser's message gives line and column, and may quote a character, but never a whole value.
        raise ConfigError(str(file), "", f"it is not valid TOML: {error}") from None
    except (ValueError, RecursionError):
        # Numbers with thousands of digits, and deeply nested lists.
        raise ConfigError(str(file), "", "it contains a value that is too long or too deeply nested") from None
