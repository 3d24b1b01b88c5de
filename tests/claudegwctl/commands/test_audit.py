from __future__ import annotations

import getpass
from pathlib import Path

from tests.control_cli import ctl


async def test_who_changed_what(socket: Path) -> None:
    assert (await ctl(socket, "audit")).out == "no changes\n"
    await ctl(socket, "keys", "disable", "second")
    await ctl(socket, "clients", "create", "laptop")
    heads, first, second = (await ctl(socket, "audit")).out.splitlines()
    assert heads.split() == ["WHEN", "WHO", "PID", "WHAT", "ABOUT", "FROM", "TO"]
    assert first.split()[2] == getpass.getuser()
    assert first.split()[4:] == ["key", "status", "changed", "key", "second", "ready", "disabled"]
    assert second.split()[4:] == ["client", "created", "client", "laptop", "no", "limits", "of", "its", "own"]
    (only,) = (await ctl(socket, "audit", "-n", "1", "--json")).json["changes"]
    assert (only["what"], only["fields"]) == ("client created", {"client": "laptop", "after": "no limits of its own"})
