"""`claudegwd --demo`, as a newcomer starts it: it answers, ends, and leaves nothing on the machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.cli_binary import find_cli
from tests.e2e.harness import MODEL, as_messages

pytestmark = pytest.mark.cli


@contextmanager
def demo(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A demo that says that it answers, and the address it names; its files lie below `home`."""
    (home / "tmp").mkdir(exist_ok=True)
    env = {
        "PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home / "tmp"),
        "CLAUDEGWD_SOCKET": str(home / "control.sock"), "CLAUDEGWD_SERVER__BIND": "127.0.0.1:0",
        "CLAUDEGWD_CLAUDE__BINARY": str(find_cli()),
    }  # fmt: skip
    command = [sys.executable, "-m", "claudegwd", "--demo"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
            yield process, address
        finally:
            process.kill()


def test_what_it_says_works_where_others_reach_it(tmp_path: Path) -> None:
    """As in a container."""
    env = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "CLAUDEGWD_SOCKET": str(tmp_path / "control.sock"),
        "CLAUDEGWD_SERVER__BIND": "0.0.0.0:0", "CLAUDEGWD_CLAUDE__BINARY": str(find_cli()),
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "claudegwd", "--demo"], env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if line.rstrip().endswith("}'"):
                    break
            command = said[said.index("  curl ") :].strip().replace('"stream": true', '"max_tokens": 8')
            done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True)
            assert '"finish_reason":"length"' in done.stdout, done.stdout
            assert " chat --temporary-key\n" in said
        finally:
            process.kill()


def ask(address: str) -> httpx.Response:
    return httpx.post(
        address, json={"model": MODEL, "messages": as_messages("Hello!"), "max_tokens": 8}, timeout=60, verify=False
    )


def test_what_a_killed_one_left_goes_with_the_next_which_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path) as (process, _):
        process.kill()
    assert list((tmp_path / "tmp").iterdir()) != []
    with demo(tmp_path) as (process, address):
        assert ask(address).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert list((tmp_path / "tmp").iterdir()) == []
