from __future__ import annotations

from pathlib import Path

from tests.control_cli import ctl


async def test_each_model(socket: Path) -> None:
    heads, row = (await ctl(socket, "models")).out.splitlines()
    assert heads == "MODEL   FOR THE CLI  REASONING EFFORTS"
    assert row.split() == ["sonnet", "sonnet", "low", "high", "default"]
    assert (await ctl(socket, "models", "--json")).json["default"] == "sonnet"
