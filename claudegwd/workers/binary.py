"""Finding the Claude Code CLI: the setting, then the one bundled with claude-agent-sdk, then PATH."""

import os
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

BUNDLED = "claude_agent_sdk"

HOW_TO_INSTALL = (
    "install the one that comes with `pip install claude-agent-sdk`, put `claude` on PATH, or set claude.binary"
)


class NoCliError(Exception):
    """There is no CLI that could be run; the text says what to do."""


def find_binary(setting: str, env: Mapping[str, str], bundled: str = BUNDLED) -> Path:
    """The CLI's path. Raises NoCliError. The package that bundles it is located, never imported."""
    if setting != "auto":
        path = Path(setting).expanduser()
        if not _runs(path):
            raise NoCliError(
                f'cannot run {path} (setting claude.binary): give the path of the Claude Code CLI, or "auto"'
            )
        return path
    spec = find_spec(bundled)
    for place in spec.submodule_search_locations or () if spec else ():
        path = Path(place) / "_bundled" / "claude"
        if _runs(path):
            return path
    found = shutil.which("claude", path=env.get("PATH"))
    if found is None:
        raise NoCliError(f"cannot find the Claude Code CLI: {HOW_TO_INSTALL}")
    return Path(found)


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
