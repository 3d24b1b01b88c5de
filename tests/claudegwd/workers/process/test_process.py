"""Owning a child: its lines, its end by each step of the ladder, and everything that it started."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from claudegwd.workers.process import process as module
from claudegwd.workers.process.process import CliProcess, Launch
from tests.claudegwd.workers.process.child import Child, running

ECHO = "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line); sys.stdout.buffer.flush()"
DEAF = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(1000)"
PARENT = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'], stdin=subprocess.DEVNULL)\n"
    "print(child.pid, flush=True)\ntime.sleep(1000)"
)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


async def test_lines_go_in_and_come_out_in_order_also_before_it_runs(tmp_path: Path) -> None:
    child = Child(ECHO, tmp_path)
    child.process.send(b"early\n")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(child.run)
        assert await child.line(1) == b"early"
        big = b"x" * 1_000_000  # more than the pipe holds: the rest waits its turn
        for text in (b"one", big, b"two"):
            child.process.send(text + b"\n")
        await child.line(4)
        nursery.cancel_scope.cancel()
    assert child.lines == [b"early", b"one", big, b"two"]


async def test_it_ends_when_its_input_ends(tmp_path: Path) -> None:
    async with running(ECHO, tmp_path) as child:
        child.process.send(b"up\n")
        await child.line(1)
        child.process.end()
        with trio.fail_after(5):
            await child.ended.wait()
    assert child.process.exit_status == 0
    assert child.process.fault is None


async def test_a_deaf_one_is_killed_in_bounded_time(tmp_path: Path) -> None:
    bound = module.EOF_SECONDS + module.TERM_SECONDS + module.REAP_SECONDS
    async with running(DEAF, tmp_path) as child:
        await child.line(1)
        child.process.end()
        with trio.fail_after(bound):
            await child.ended.wait()
    assert child.process.exit_status == -9


async def test_kill_is_immediate(tmp_path: Path) -> None:
    async with running(DEAF, tmp_path) as child:
        await child.line(1)
        started = trio.current_time()
        child.process.kill()
        with trio.fail_after(5):
            await child.ended.wait()
        assert trio.current_time() - started < module.EOF_SECONDS
    assert child.process.exit_status == -9


async def test_cancelling_reaps_what_the_child_started_too(tmp_path: Path) -> None:
    async with running(PARENT, tmp_path) as child:
        grandchild = int(await child.line(1))
        pid = child.process.pid
        assert pid is not None
        assert not is_gone(grandchild)
    assert is_gone(pid)
    with trio.fail_after(5):  # the signal is sent; the kernel takes its moment, and init reaps it
        while not is_gone(grandchild):
            await trio.lowlevel.checkpoint()


async def test_a_crash_in_mid_line_is_a_fault(tmp_path: Path) -> None:
    async with running("import sys; print('whole'); sys.stdout.write('torn'); sys.exit(3)", tmp_path) as child:
        with trio.fail_after(10):
            await child.ended.wait()
    assert child.lines == [b"whole"]
    assert child.process.exit_status == 3
    assert child.process.fault == "its output ended inside a line"
    assert not child.process.was_asked_to_end


async def test_a_program_that_cannot_be_started_raises(tmp_path: Path) -> None:
    async def never(_: Sequence[bytes]) -> None:
        raise AssertionError

    process = CliProcess(Launch([str(tmp_path / "absent")], {}, tmp_path), never)
    with pytest.raises(FileNotFoundError):
        await process.run()


@pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="scheduling policies are Linux's")
async def test_one_that_nobody_waits_for_starts_in_the_background(tmp_path: Path) -> None:
    launch = Launch([sys.executable, "-c", ECHO], {"PATH": os.environ["PATH"]}, tmp_path)
    came = trio.Event()

    async def take(lines: Sequence[bytes]) -> None:
        came.set()

    process = CliProcess(launch, take, background=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(process.run)
        process.send(b"up\n")
        await came.wait()
        assert process.pid is not None
        assert os.sched_getscheduler(process.pid) != os.SCHED_OTHER
        process.to_foreground()
        assert os.sched_getscheduler(process.pid) == os.SCHED_OTHER
        nursery.cancel_scope.cancel()
