"""Owning a child: its lines, its end by each step of the ladder, and everything that it started."""

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from claudegwd.claude_cli.client_log import Rejection
from claudegwd.workers.process import process as module
from claudegwd.workers.process.process import CliProcess, Launch

ECHO = "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line); sys.stdout.buffer.flush()"
DEAF = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(1000)"
PARENT = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'], stdin=subprocess.DEVNULL)\n"
    "print(child.pid, flush=True)\ntime.sleep(1000)"
)


class Child:
    """A process under test, its lines as they came, and a way to wait for the next."""

    def __init__(self, script: str, tmp_path: Path) -> None:
        launch = Launch([sys.executable, "-c", script], {"PATH": os.environ["PATH"]}, tmp_path)
        self.process = CliProcess(launch, self._take)
        self.lines: list[bytes] = []
        self.ended = trio.Event()
        self._more = trio.Condition()

    async def _take(self, lines: Sequence[bytes]) -> None:
        self.lines += lines
        async with self._more:
            self._more.notify_all()

    async def line(self, number: int) -> bytes:
        with trio.fail_after(10):
            async with self._more:
                while len(self.lines) < number:
                    await self._more.wait()
        return self.lines[number - 1]

    async def run(self) -> None:
        try:
            await self.process.run()
        finally:
            self.ended.set()


@asynccontextmanager
async def running(script: str, tmp_path: Path) -> AsyncIterator[Child]:
    child = Child(script, tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(child.run)
        yield child
        nursery.cancel_scope.cancel()


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


async def test_a_flood_on_stderr_holds_nothing_up(tmp_path: Path) -> None:
    script = "import sys\nfor _ in range(5000): sys.stderr.write('noise ' * 50 + '\\n')\nprint('done', flush=True)"
    async with running(script, tmp_path) as child:
        assert await child.line(1) == b"done"


LOGS = """import sys
for line in ("sending request {", "  stream: true,", "}"):
    sys.stderr.write(line.replace("sending", "[Anthropic SDK DEBUG] [log_1] sending") + "\\n")
sys.stderr.flush()
print("sent", flush=True)
sys.stdin.readline()
sys.stderr.write('[Anthropic SDK DEBUG] [log_1] response error (error) {\\n  status: 404,\\n}\\n')
sys.stderr.flush()
print("answered", flush=True)
sys.stdin.readline()
"""


async def test_what_its_log_says_is_known_when_its_line_is_read(tmp_path: Path) -> None:
    """In whatever order the two pipes are looked at."""
    async with running(LOGS, tmp_path) as child:
        told: list[str] = []
        child.process.on_sent = lambda: told.append("sent")
        assert await child.line(1) == b"sent"
        child.process.hear_stderr()
        assert told == ["sent"]
        assert child.process.rejection() is None
        child.process.send(b"\n")
        assert await child.line(2) == b"answered"
        assert child.process.rejection() == Rejection(404, is_json=False)
    assert told == ["sent"]


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


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("sys.stderr.write('one\\n\\ntwo sk-false-secret-0001\\nno end')", "one / two [redacted] / no end"),
        ("sys.stderr.write('line\\n' * 1000 + 'last\\n')", "line / line / line / last"),
        ("sys.stderr.write('x' * 100_000)", "x" * module.LAST_WORDS_CHARACTERS),
        ("sys.stderr.write('about a question\\n'); print('an event', flush=True)", ""),
        ("print('an event', flush=True); sys.stderr.write('about a question\\n')", ""),
        ("pass", ""),
    ],
)
async def test_one_that_ends_before_its_first_event_has_last_words(tmp_path: Path, script: str, words: str) -> None:
    async with running(f"import sys; {script}", tmp_path) as child:
        with trio.fail_after(20):
            await child.ended.wait()
    assert child.process.last_words == words
