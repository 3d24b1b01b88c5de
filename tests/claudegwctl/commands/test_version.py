from __future__ import annotations

from pathlib import Path

from tests.control_cli import ctl


async def test_of_all_three(socket: Path) -> None:
    first, *others = (await ctl(socket, "version")).out.splitlines()
    assert first.startswith("claudegwctl ")
    assert others == ["claudegwd   1.2.3", "claude      2.1.330"]
    assert (await ctl(socket, "version", "--json")).json["claude"] == "2.1.330"


async def test_without_a_daemon_its_own(nowhere: Path) -> None:
    done = await ctl(nowhere, "version")
    assert done.status == 0
    assert "claudegwd   unknown: cannot reach claudegwd" in done.out
    assert (await ctl(nowhere, "version", "--json")).json["claudegwd"] is None
