from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import trio

from claudegwd.workspaces.approvals import WantedCall
from tests.control_cli import ctl, environment
from tests.small_gateway import SmallGateway


async def test_nothing_waits(socket: Path) -> None:
    assert (await ctl(socket, "approvals")).out == "nothing is waiting for approval\n"
    assert (await ctl(socket, "approvals", "--json")).json == {"approvals": []}


async def test_following_until_ctrl_c(gateway: SmallGateway, socket: Path) -> None:
    wanted = WantedCall("repo", "/w", "webui", "webui", "Bash", {"command": "x"})
    gateway.workspaces.approvals.begin(wanted, shown="Bash: x", why="no rule")
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "claudegwctl", "--socket", str(socket), "approvals", "-f"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert b"repo (/w), for webui" in await process.stdout.receive_some()
    process.send_signal(signal.SIGINT)
    assert (await process.wait(), await process.stderr.receive_some()) == (0, b"")
