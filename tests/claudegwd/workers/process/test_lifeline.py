"""A group on a lifeline ends with its holder, and not before."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trio

from claudegwd.workers.process.lifeline import Lifeline

ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")

# Deaf to everything that can be ignored, and its child too.
DEAF = ["sh", "-c", 'trap "" TERM HUP IO PIPE; sleep 1000 & echo up; wait; sleep 1000']
HOLDER = f"""
import os, subprocess, time
from contextlib import closing
from claudegwd.workers.process.lifeline import Lifeline
with closing(Lifeline()) as lifeline:
    child = subprocess.Popen({DEAF}, start_new_session=True, pass_fds=lifeline.passed)
    lifeline.tie(child.pid)
    os.write(1, b"tied\\n")  # in one piece, as the child writes there too
    time.sleep(1000)
"""


@contextmanager
def held() -> Iterator[subprocess.Popen[str]]:
    """A process that holds a deaf group, which shares its standard output."""
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert {holder.stdout.readline(), holder.stdout.readline()} == {"up\n", "tied\n"}
            yield holder
        finally:
            holder.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_deaf_group_ends_with_its_holder(number: signal.Signals) -> None:
    with held() as holder:
        holder.send_signal(number)
        with trio.fail_after(20):
            # The end of the output: nobody has it open any more, neither the child nor what the child started.
            assert holder.stdout is not None
            await trio.lowlevel.wait_readable(holder.stdout)
            assert holder.stdout.read() == ""


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nothing_is_left_open_and_nobody_is_killed_before_the_end() -> None:
    before = open_descriptors()
    with closing(Lifeline()) as lifeline:
        child = subprocess.Popen(
            [sys.executable, "-c", "input(); print('lives')"], start_new_session=True, pass_fds=lifeline.passed,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        lifeline.tie(child.pid)
        assert child.communicate(b"\n") == (b"lives\n", None)
        assert child.returncode == 0
    assert open_descriptors() == before


def test_one_that_was_never_tied_leaves_nothing_open() -> None:
    before = open_descriptors()
    with closing(Lifeline()):
        pass
    assert open_descriptors() == before
