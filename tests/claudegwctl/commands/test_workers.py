from __future__ import annotations

from pathlib import Path

from tests.control_cli import ctl
from tests.small_gateway import SmallGateway


async def test_each_process(gateway: SmallGateway, socket: Path) -> None:
    heads, first, second = (await ctl(socket, "workers")).out.splitlines()
    assert heads.split() == ["PID", "STATE", "CLIENT", "KEY", "USES", "AGE", "MEMORY"]
    assert first.split() == ["4243", "busy", "laptop", "primary", "4", "1", "min", "2", "s", "180", "MB"]
    assert second.split() == ["4244", "spare", "0", "10", "s"]
    assert (await ctl(socket, "workers", "--json")).json == {"workers": gateway.workers(), "max": 8}
