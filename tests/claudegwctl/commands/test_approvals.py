from __future__ import annotations

from pathlib import Path

from tests.control_cli import ctl


async def test_nothing_waits(socket: Path) -> None:
    assert (await ctl(socket, "approvals")).out == "nothing is waiting for approval\n"
    assert (await ctl(socket, "approvals", "--json")).json == {"approvals": []}
