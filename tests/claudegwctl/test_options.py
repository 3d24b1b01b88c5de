from __future__ import annotations

from pathlib import Path

from tests.control_cli import ctl


async def test_json_may_stand_before_and_behind_the_command(socket: Path) -> None:
    before = await ctl(socket, "--json", "workers")
    behind = await ctl(socket, "workers", "--json")
    assert before.json == behind.json
    assert before.out.count("\n") == 1
