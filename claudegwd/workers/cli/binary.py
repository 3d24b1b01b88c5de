"""Finds the Claude Code CLI: in the settings, then bundled with claude-agent-sdk, then on PATH."""

import os
import re
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import msgspec

from claudegwd import contract
from claudegwd.config.schema import ClaudeConfig

BUNDLED = "claude_agent_sdk"

_VERSION = re.compile(r'__cli_version__ = "([0-9]+\.[0-9]+\.[0-9]+)"')


class NoCliError(Exception):
    """There is no CLI to run; the message says what to do."""


class _Record(msgspec.Struct):
    """The part that matters here of the record beside a fetched CLI: `problems` is empty if it passed the check."""

    problems: tuple[str, ...] | None = None


def find_binary(claude: ClaudeConfig, env: Mapping[str, str], bundled: str = BUNDLED) -> Path:
    """The CLI's path. Raises NoCliError. The package that bundles it is located, never imported."""
    if claude.binary != "auto":
        path = Path(claude.binary).expanduser()
        if not _runs(path):
            raise NoCliError(
                f'cannot run {path} (setting claude.binary): set it to the path of the Claude Code CLI, or to "auto"'
            )
        return path
    folder = contract.cli_directory(env)
    pinned = _bundled(bundled)
    if claude.version == contract.NEWEST_CLI:
        newest = _newest(folder)
        if newest is not None and (pinned is None or _number(newest.parent.name) > _number(_version_of(pinned))):
            return newest
    elif claude.version != contract.PINNED_CLI:
        return _kept(folder, claude.version)
    if pinned is not None:
        return pinned
    found = shutil.which("claude", path=env.get("PATH"))
    if found is None:
        raise NoCliError(f"cannot find the Claude Code CLI: {contract.HOW_TO_GET_CLI}")
    return Path(found)


def _kept(folder: Path, version: str) -> Path:
    path = folder / version / contract.CLI_NAME
    if not _runs(path):
        raise NoCliError(
            f"cannot find Claude Code CLI {version} (setting claude.version) in {folder}: `claudegwctl cli try "
            f'{version}` fetches it, or set it to "{contract.PINNED_CLI}"'
        )
    return path


def _newest(folder: Path) -> Path | None:
    """The newest fetched CLI that has passed the contract check."""
    found = [path.with_name(contract.CLI_NAME) for path in folder.glob(f"*/{contract.CLI_RECORD}") if _passed(path)]
    return max(filter(_runs, found), key=lambda path: _number(path.parent.name), default=None)


def _passed(record: Path) -> bool:
    try:
        return msgspec.json.decode(record.read_bytes(), type=_Record).problems == ()
    except (OSError, msgspec.DecodeError):
        return False


def _bundled(package: str) -> Path | None:
    spec = find_spec(package)
    for place in spec.submodule_search_locations or () if spec else ():
        path = Path(place) / "_bundled" / contract.CLI_NAME
        if _runs(path):
            return path
    return None


def _version_of(bundled: Path) -> str:
    """The version that the package states beside its binary; "" if it states none, which counts as the oldest."""
    try:
        found = _VERSION.search((bundled.parent.parent / "_cli_version.py").read_text())
    except (OSError, UnicodeDecodeError):
        return ""
    return found[1] if found else ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
