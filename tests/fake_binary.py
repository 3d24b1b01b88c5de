"""The fake CLI as an executable with its settings built in: the gateway gives its workers no environment of ours."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

FAKE_CLI = Path(__file__).parent / "fake_cli.py"


def write_fake_cli(directory: Path, **settings: str | float) -> Path:
    """An executable in `directory` that is the fake CLI with these settings (see tests/fake_cli.py for their names)."""
    words = " ".join(shlex.quote(f"FAKE_CLI_{name.upper()}={value}") for name, value in settings.items())
    command = f"exec env {words} {shlex.quote(sys.executable)} -S -E {shlex.quote(str(FAKE_CLI))}"
    path = directory / "claude"
    path.write_text(f'#!/bin/sh\n{command} "$@"\n')
    path.chmod(0o755)
    return path
