"""Where the tests find the real Claude Code CLI."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path


def find_cli() -> Path:
    """The CLI inside the claude-agent-sdk wheel, else `claude` on PATH. The wheel's Python code is not imported."""
    spec = importlib.util.find_spec("claude_agent_sdk")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "_bundled" / "claude"
        if bundled.is_file():
            return bundled
    found = shutil.which("claude")
    if found is None:
        raise FileNotFoundError("cannot find the Claude Code CLI: install the extra `cli` (pip install .[cli])")
    return Path(found)
