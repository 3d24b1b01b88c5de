from __future__ import annotations

from pathlib import Path

from claudegwd.config.schema import NotifyConfig
from tests.control_cli import ctl
from tests.small_gateway import SmallGateway


async def test_for_people_and_for_programs(gateway: SmallGateway, socket: Path) -> None:
    nowhere = await ctl(socket, "notify", "test")
    assert (nowhere.status, nowhere.out) == (1, "")
    assert "cannot send a test: no notifications are configured" in nowhere.err

    gateway.notifications.configure(NotifyConfig(command=("/bin/sh", "-c", "echo no recipients >&2")))
    well = await ctl(socket, "notify", "test")
    assert well.status == 0
    assert well.out.startswith("notify.command delivered in ")
    assert well.out.endswith(" s; it answered: no recipients\n")

    gateway.notifications.configure(
        NotifyConfig(command=("/bin/sh", "-c", "echo it is broken >&2; exit 1"), url="http://127.0.0.1:1/")
    )
    ill = await ctl(socket, "notify", "test")
    assert ill.status == 1
    assert (ill.out, ill.err.split("; ")) == (
        "",
        [
            "cannot notify: notify.command: the command exited with status 1: it is broken",
            "notify.url: its server cannot be reached: Connection refused\n",
        ],
    )
    told = await ctl(socket, "notify", "test", "--json")
    assert (told.status, [row["ok"] for row in told.json["targets"]]) == (1, [False, False])
