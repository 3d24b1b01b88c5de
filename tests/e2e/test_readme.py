"""What README.md shows is what a reader sees: its session with `claudegwctl`, and the demo's greeting."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from claudegwd.demo.replies import by_key, echo
from claudegwd.demo.script import limited
from tests.cli_binary import find_cli
from tests.control_cli import ROOT, ctl
from tests.e2e.harness import running

pytestmark = pytest.mark.cli

README = (ROOT / "README.md").read_text("utf-8")
KEYS = [{"name": name, "token": f"sk-false-{name}-key"} for name in ("work", "home", "spare")]


def session() -> Iterator[tuple[list[str], str]]:
    """The words of each command that README.md shows with its output, and that output."""
    [block] = re.findall(r"^```console\n(\$ claudegwctl status\n.*?)^```", README, re.MULTILINE | re.DOTALL)
    for part in block.split("$ claudegwctl ")[1:]:
        command, _, output = part.partition("\n")
        yield command.split(), output


def shape(text: str) -> str:
    """Without what differs from machine to machine and from day to day."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", re.sub(r"(?<![\w.])/[^\s)]+", "/PATH", text))
    text = re.sub(r"back in \d+ \w+", "back in N", text)  # a minute, or some seconds less
    return re.sub(r"\d(?:[\d,]*\d)?(?:\.\d+)*", "N", re.sub(r"\S+(?= answers \()", "HOST", text))


async def test_the_session_is_what_happens() -> None:
    async with running(by_key({"sk-false-work-key": limited()}, echo()), keys=KEYS) as gateway:
        for _ in range(2):
            assert (await gateway.ask("Hello!")).reason == "stop"
        await gateway.until_workers(spare=1, idle=1)
        shown = list(session())
        said = [(words, (await ctl(gateway.daemon.socket, *words)).out) for words, _ in shown]
        assert [(words, shape(out)) for words, out in said] == [(words, shape(out)) for words, out in shown]
        assert len(shown) == 5


def test_the_demos_greeting_is_what_it_says(tmp_path: Path) -> None:
    [shown] = re.findall(r"^```\n(The demo gateway is ready\..*?)^```", README, re.MULTILINE | re.DOTALL)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    env = {
        "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CLAUDEGWD_SOCKET": str(tmp_path / "control.sock"),
        "CLAUDEGWD_SERVER__BIND": "127.0.0.1:0", "CLAUDEGWD_CLAUDE__BINARY": str(find_cli()),
    }  # fmt: skip
    with subprocess.Popen(
        [".venv/bin/claudegwd", "--demo"], env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = "".join(line for _, line in zip(shown.splitlines(), process.stdout, strict=False))
            assert re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8000", said) == shown
        finally:
            process.terminate()
            process.communicate(timeout=30)
