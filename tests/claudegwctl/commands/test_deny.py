from __future__ import annotations

from pathlib import Path

from tests.control_cli import ctl


async def test_there_is_nothing_to_deny(socket: Path) -> None:
    done = await ctl(socket, "deny", "3f9a01c2")
    assert done.status == 1
    assert done.err.startswith("cannot find approval '3f9a01c2'")
