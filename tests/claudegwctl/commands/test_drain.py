from __future__ import annotations

from pathlib import Path

from tests.control_cli import ctl
from tests.small_gateway import SmallGateway


class Quiet(SmallGateway):
    """No request is under way."""

    def requests(self) -> list[dict[str, object]]:
        return []


async def test_draining(gateway: SmallGateway, socket: Path) -> None:
    done = await ctl(socket, "drain")
    assert done.out == "draining: 1 request is under way; `claudegwctl undrain` ends it\n"
    assert gateway.life.drained_since is not None
    assert (await ctl(socket, "drain", "--json")).json["changed"] is False
    shown = (await ctl(socket, "status")).out.splitlines()
    assert shown[0].startswith("claudegwd 1.2.3: draining")
    assert shown[1].startswith("drained")
    assert shown[1].endswith("`claudegwctl undrain` ends it")


async def test_waiting_until_no_request_is_under_way(gateway: SmallGateway, socket: Path) -> None:
    waited = await ctl(socket, "drain", "--wait", "0.1")
    assert waited.status == 1
    (line,) = waited.err.splitlines()
    assert line == "cannot wait any longer: 1 request is under way; run it again, or stop the daemon anyway"
    gateway.__class__ = Quiet
    waited = await ctl(socket, "drain", "--wait", "60")
    assert (waited.status, waited.out) == (
        0, "already draining: no requests are under way; `claudegwctl undrain` ends it\n"
    )  # fmt: skip


async def test_waiting_for_what_is_no_number(socket: Path) -> None:
    for seconds in ("nan", "inf", "-1", "soon"):
        assert (await ctl(socket, "drain", "--wait", seconds)).status == 2
