from __future__ import annotations

from pathlib import Path

from tests.control_cli import ctl
from tests.small_gateway import SmallGateway


async def test_ready_again(gateway: SmallGateway, socket: Path) -> None:
    await ctl(socket, "drain")
    assert (await ctl(socket, "undrain")).out == "ready for new requests\n"
    assert gateway.life.drained_since is None
    assert (await ctl(socket, "undrain")).out == "it was not draining\n"
    assert (await ctl(socket, "undrain", "--json")).json["changed"] is False
