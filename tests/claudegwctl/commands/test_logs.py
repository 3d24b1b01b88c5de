from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from claudegwctl.commands.logs import MAX_LINES, line
from claudegwd.logs import LogEntry
from claudegwd.logs.ring import RING_RECORDS
from tests.control_cli import ctl, environment
from tests.small_gateway import SmallGateway


def said(gateway: SmallGateway, text: str, level: str = "info") -> None:
    gateway.logs.append(
        LogEntry(0.0, level, "claudegwd", text, {"key": "primary", "reason": "two words", "until": None})
    )


def test_for_people() -> None:
    record = {"time": "T", "level": "info", "message": "key rotated", "count": 1, "ok": True, "a": "x y", "b": None}
    assert line(record) == 'T info    key rotated count=1 ok=true a="x y"'


def test_as_many_as_the_daemon_keeps() -> None:
    assert MAX_LINES == RING_RECORDS


async def test_the_last_lines(gateway: SmallGateway, socket: Path) -> None:
    for text in ("one", "two", "three"):
        said(gateway, text)
    said(gateway, "quiet", "debug")
    done = await ctl(socket, "logs", "-n", "2", "--level", "info")
    assert done.out.splitlines() == [
        f'1970-01-01T00:00:00.000Z info    {text} key=primary reason="two words"' for text in ("two", "three")
    ]
    assert [each["message"] for each in _json_lines((await ctl(socket, "logs", "--json")).out)] == [
        "one", "two", "three", "quiet",
    ]  # fmt: skip


def _json_lines(out: str) -> list[dict[str, object]]:
    import json

    return [json.loads(each) for each in out.splitlines()]


@pytest.mark.parametrize("ended_by", ["signal", "daemon"])
async def test_following(gateway: SmallGateway, socket: Path, ended_by: str) -> None:
    said(gateway, "before")
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "claudegwctl", "--socket", str(socket), "logs", "-f"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert b"before" in await process.stdout.receive_some()
    said(gateway, "after")
    assert b"after" in await process.stdout.receive_some()
    if ended_by == "signal":
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    else:
        gateway.logs.close()
        assert await process.wait() == 3
        assert await process.stderr.receive_some() == b"cannot follow the log any longer: claudegwd has stopped\n"


async def test_leaving_others_out(gateway: SmallGateway, socket: Path) -> None:
    done = await ctl(socket, "logs", "--key", "no-such-key", "--since", "15m", "--request", "r", "--client", "c")
    assert (done.status, done.out) == (0, "")
    done = await ctl(socket, "logs", "--since", "yesterday")
    assert (done.status, done.err[:18]) == (2, "cannot use --since")
