"""Where the tests find the real Claude Code CLI."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path


def find_cli() -> Path:
    """TEST_CLI, the CLI inside the claude-agent-sdk wheel, else `claude` on PATH. No code of the wheel is imported."""
    if named := os.environ.get("TEST_CLI"):
        return Path(named)
    spec = importlib.util.find_spec("claude_agent_sdk")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "_bundled" / "claude"
        if bundled.is_file():
            return bundled
    found = shutil.which("claude")
    if found is None:
        raise FileNotFoundError("cannot find the Claude Code CLI: `pip install claude-agent-sdk` brings one")
    return Path(found)
