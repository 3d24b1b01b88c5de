from __future__ import annotations

from pathlib import Path

from tests.control_cli import ctl


async def test_nothing_waits(socket: Path) -> None:
    assert (await ctl(socket, "approvals")).out == "nothing waits for a person\n"
    assert (await ctl(socket, "approvals", "--json")).json == {"approvals": []}
