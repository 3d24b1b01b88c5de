"""A process in the background, and brought back with all its threads."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from claudegwd.workers.process.priority import behind_us, to_background, to_foreground

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="scheduling policies are Linux's")

THREADED = (
    "import sys, threading\n"
    "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    "print('up', flush=True)\nsys.stdin.read()"
)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", THREADED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.communicate()


def policies(pid: int) -> list[int]:
    return [os.sched_getscheduler(int(entry.name)) for entry in Path(f"/proc/{pid}/task").iterdir()]


def test_what_starts_in_the_background_is_brought_back_with_its_threads(child: subprocess.Popen[bytes]) -> None:
    to_background(child.pid)
    assert os.sched_getscheduler(child.pid) in (os.SCHED_IDLE, os.SCHED_BATCH)
    assert child.stdout is not None
    child.stdout.readline()
    to_foreground(child.pid)
    assert policies(child.pid) == [os.SCHED_OTHER] * 2


def test_one_at_rest_is_sent_to_the_background_with_its_threads(child: subprocess.Popen[bytes]) -> None:
    assert child.stdout is not None
    child.stdout.readline()
    to_background(child.pid)
    assert set(policies(child.pid)) <= {os.SCHED_IDLE, os.SCHED_BATCH}
    to_foreground(child.pid)
    assert policies(child.pid) == [os.SCHED_OTHER] * 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only who may raise priorities lowers them for a start")
def test_what_somebody_waits_for_starts_behind_us_and_comes_back(child: subprocess.Popen[bytes]) -> None:
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    behind_us(child.pid)
    assert os.getpriority(os.PRIO_PROCESS, child.pid) > usual
    to_foreground(child.pid)
    assert os.getpriority(os.PRIO_PROCESS, child.pid) == usual


def test_one_that_has_ended_is_left_alone(child: subprocess.Popen[bytes]) -> None:
    child.communicate()
    to_background(child.pid)
    to_foreground(child.pid)
    behind_us(child.pid)
