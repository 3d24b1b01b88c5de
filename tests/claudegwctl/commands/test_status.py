from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from claudegwctl.commands.status import fitting, lines
from claudegwd.keys.failures import FailureKind
from tests.control_cli import ctl, ctl_without_daemon, environment
from tests.small_gateway import TOKENS, SmallGateway, running

STATUS = {
    "version": "1.2.3", "claude_version": "2.1.330", "claude_binary": "/opt/claude", "pid": 42,
    "uptime_seconds": 93784, "state": "ready", "problem": "", "binds": ["127.0.0.1:8000", "[::1]:8000"],
    "config_generation": 2, "keys_origin": "/etc/claudegwd/keys.json",
    "requests": {"active": 2, "queued": 0, "total": 117, "failed": 3, "failed_by_code": {"x": 3}},
    "workers": {"spare": 1, "busy": 2, "idle": 0},
    "keys": [
        {"name": "primary", "state": "active", "requests": 100, "cooling_until": None, "last_error": None},
        {"name": "second", "state": "cooling", "requests": 1, "cooling_until": 1200.0, "last_error": "rate_limit"},
    ],
}  # fmt: skip


def test_a_low_terminal_shows_the_first_lines() -> None:
    found = [str(number) for number in range(10)]
    assert fitting(found, 11) == found
    assert list(fitting(found, 6)) == ["0", "1", "2", "3", "… and 6 more lines: make the window taller"]
    assert len(fitting(found, 1)) == 1


def test_lines_that_the_log_lost_are_told() -> None:
    assert not any("lost" in line for line in lines({**STATUS, "log_lines_lost": 0}, 1000.0))
    assert any("7 lines were lost" in line for line in lines({**STATUS, "log_lines_lost": 7}, 1000.0))


def test_usage_that_was_lost_is_told() -> None:
    assert not any("never recorded" in line for line in lines({**STATUS, "usage_lost": 0}, 1000.0))
    assert any("usage         1 request was never recorded" in line for line in lines({**STATUS, "usage_lost": 1}, 0))


def test_for_people() -> None:
    assert list(lines(STATUS, 1000.0)) == [
        "claudegwd 1.2.3: ready, up 1 d 2 h, pid 42",
        "claude        2.1.330 (/opt/claude)",
        "listening     127.0.0.1:8000, [::1]:8000",
        "requests      2 active, 117 total, 3 failed",
        "workers       1 spare, 2 busy",
        "configuration generation 2, not reloaded",
        "keys          2 from /etc/claudegwd/keys.json",
        "  * primary  active     100 requests",
        "    second   cooling    1 request  back in 3 min 20 s  last error: rate_limit",
    ]


def test_a_reason_of_several_lines_stays_in_its_column() -> None:
    last = {"at": time.time(), "ok": False, "error": "cannot use config.toml:\nworkers.mx is unknown"}
    said = "\n".join(lines({**STATUS, "last_reload": last}, 0))
    assert "rejected 0 s ago: cannot use config.toml:\n              workers.mx is unknown\nkeys" in said


def test_what_was_used_today() -> None:
    usage = {"requests": 1, "errors": 0, "prompt_tokens": 12_345, "completion_tokens": 6, "cost_usd": 0.25}
    assert "today         1 request; 12,345 tokens in, 6 out, $0.2500" in list(lines({**STATUS, "usage": usage}, 0))
    usage |= {"requests": 1200, "errors": 3, "cost_usd": None}
    assert "today         1,200 requests, 3 failed; 12,345 tokens in, 6 out" in list(
        lines({**STATUS, "usage": usage}, 0)
    )
    assert not any(line.startswith("today") for line in lines({**STATUS, "usage": {**usage, "requests": 0}}, 0))


def test_a_daemon_that_has_just_started() -> None:
    said = list(lines({"version": "1.2.3", "state": "starting", "problem": "starting", "pid": 1}, 0))
    assert said[0] == "claudegwd 1.2.3: starting, up 0 s, pid 1"
    assert said[1] == "problem       starting"
    assert said[2] == "claude        not known yet"
    assert said[-1] == "keys          none: the login of the Claude Code CLI is used"


def test_a_log_that_holds_content_is_told() -> None:
    told = "log           contains questions and answers (log.content)"
    assert told not in lines(STATUS, 0)
    assert told in lines({**STATUS, "content_logged": True}, 0)


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"at": 0, "ok": True}, "generation 2, reloaded "),
        ({"at": 0, "ok": False, "error": "cannot use x"}, "generation 2, the last reload was rejected "),
    ],
)
def test_the_last_reload(last: object, said: str) -> None:
    (line,) = [line for line in lines({**STATUS, "last_reload": last}, 0) if line.startswith("configuration")]
    assert said in line
    assert line.endswith("cannot use x" if "rejected" in said else " ago")


async def test_the_real_one(socket: Path) -> None:
    done = await ctl(socket, "status")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("claudegwd 1.2.3: ready, up 1 d 2 h, pid 4242\n")
    assert "  * primary  active" in done.out
    assert not any(token in done.out for token in TOKENS)


async def test_json_is_the_daemons_answer(gateway: SmallGateway, socket: Path) -> None:
    assert (await ctl(socket, "status", "--json")).json == gateway.status()


@pytest.mark.parametrize("words", ["status --watch --interval", "top --interval"])
@pytest.mark.parametrize("interval", ["nan", "inf", "0", "1e9"])
def test_an_interval_is_a_number_of_seconds(words: str, interval: str) -> None:
    done = ctl_without_daemon(*words.split(), interval)
    assert (done.status, done.out) == (2, "")
    assert "interval" in done.err


class Pty:
    """A terminal for one command, and what was written to it."""

    def __init__(self, *words: str, **env: str) -> None:
        mine, its = os.openpty()
        command = [sys.executable, "-m", "claudegwctl", *words]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=its, stderr=its, env=environment(**env)
        )
        os.close(its)
        self._stream = trio.lowlevel.FdStream(mine)
        self.seen = ""

    async def until(self, holds: Callable[[str], bool]) -> str:
        with trio.fail_after(20):
            while not holds(self.seen):
                self.seen += (await self._stream.receive_some()).decode()
        return self.seen

    async def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert await trio.to_thread.run_sync(self.process.wait) == 0
        await self._stream.aclose()


def watch(socket: Path, **env: str) -> Pty:
    return Pty("--socket", str(socket), "status", "--watch", "--interval", "0.1", **env)


async def test_frames_are_written_over_each_other_without_a_blank_screen_between(socket: Path) -> None:
    shown = watch(socket, TERM="xterm")
    seen = await shown.until(lambda text: text.count("claudegwd 1.2.3") == 3)
    assert seen.count("\x1b[2J") == 1
    assert seen.index("\x1b[2J") < seen.index("claudegwd 1.2.3")
    await shown.end()


async def test_a_terminal_without_cursor_control_gets_plain_lines(socket: Path) -> None:
    shown = watch(socket, TERM="dumb")
    assert "\x1b" not in await shown.until(lambda text: text.count("claudegwd 1.2.3") == 3)
    await shown.end()


async def test_a_daemon_that_is_gone_is_not_shown_as_ready(gateway: SmallGateway) -> None:
    async with running(gateway) as path:
        shown = watch(path, TERM="xterm")
        await shown.until(lambda text: "ready" in text)
    seen = await shown.until(lambda text: "; waiting\x1b[K" in text)
    assert seen.endswith("; waiting\x1b[K\r\n\x1b[J\x1b[?7h")  # all that stood there is gone
    async with running(gateway):
        await shown.until(lambda text: "ready" in text.rpartition("; waiting")[2])
    await shown.end()


async def test_what_an_upstream_says_does_not_steer_the_terminal(gateway: SmallGateway, socket: Path) -> None:
    gateway.ring.failed("primary", FailureKind.RATE_LIMIT, time.time(), error="sorry \x1b]0;title\x07\x1b[2J")
    for command in (["status"], ["keys", "list"], ["status", "--watch"]):
        shown = Pty("--socket", str(socket), *command, TERM="xterm")
        seen = await shown.until(lambda text: "sorry" in text)
        assert "sorry ]0;title[2J" in seen
        shown.process.kill()
        await trio.to_thread.run_sync(shown.process.wait)


async def test_watching_until_it_is_ended(socket: Path) -> None:
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "claudegwctl", "--socket", str(socket), "status", "--watch", "--interval", "0.1",
         "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    seen = b""
    while seen.count(b"\n") < 3:
        seen += await process.stdout.receive_some()
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0
    assert await process.stderr.receive_some() == b""


async def test_all_machines(gateway: SmallGateway, socket: Path) -> None:
    refused = await ctl(socket, "status", "--all")
    assert (refused.status, refused.out) == (1, "")
    assert "shared.url is not set" in refused.err
    gateway.others = [
        {
            "machine": "one", "state": "ready", "version": "1.2.3", "claude_version": "2.1.330", "last_seen": 0.0,
            "requests": {"active": 2, "queued": 1}, "workers": {"busy": 2, "idle": 3}, "keys_usable": 1, "keys": 2,
        },
        {"machine": "two", "state": "gone", "last_seen": 0.0},
    ]  # fmt: skip
    head, one, two = (await ctl(socket, "status", "--all")).out.splitlines()
    assert head.split() == [
        "MACHINE", "STATE", "VERSION", "CLAUDE", "REQUESTS", "QUEUED", "BUSY", "WORKERS", "KEYS", "SEEN",
    ]  # fmt: skip
    assert one.split()[:11] == ["one", "ready", "1.2.3", "2.1.330", "2", "1", "2", "5", "1", "of", "2"]
    assert two.split()[:2] == ["two", "gone"]
    assert (await ctl(socket, "status", "--all", "--json")).json == {"machines": gateway.others}
