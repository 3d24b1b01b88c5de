"""The real control CLI as a program of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

ROOT: Final = Path(__file__).parent.parent


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    """Ours without what would lead to another daemon, and without colours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAUDEGWD_")}
    return {**kept, "NO_COLOR": "1", "PYTHONPATH": str(ROOT), **more}


async def ctl(socket: Path, *arguments: str, stdin: str = "", **env: str) -> Done:
    """Run `claudegwctl` to its end."""
    done = await trio.run_process(
        [sys.executable, "-m", "claudegwctl", "--socket", str(socket), *arguments],
        stdin=stdin.encode(), capture_stdout=True, capture_stderr=True, check=False, env=environment(**env),
    )  # fmt: skip
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def ctl_without_daemon(*arguments: str, **env: str) -> Done:
    done = subprocess.run(
        [sys.executable, "-m", "claudegwctl", *arguments],
        env=environment(**env), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)
