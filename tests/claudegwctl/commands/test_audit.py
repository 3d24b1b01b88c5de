from __future__ import annotations

import getpass
from pathlib import Path

from claudegwctl.commands.audit import _row
from tests.control_cli import ctl
from tests.small_gateway import SmallGateway


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


async def test_a_long_change_is_cut_for_people_only(socket: Path, gateway: SmallGateway) -> None:
    models = [f"model-{number}" for number in range(40)]
    gateway.config_file.write_text(f"[claude]\nmodels = {models}\n")
    assert (await ctl(socket, "reload")).status == 0
    shown = (await ctl(socket, "audit")).out.splitlines()[1]
    assert shown.endswith("…")
    assert len(shown) < 200
    (only,) = (await ctl(socket, "audit", "--json")).json["changes"]
    assert only["fields"]["after"].startswith('claude.models=["model-0","model-1"')


def test_what_an_approval_was_about() -> None:
    def about(**fields: object) -> object:
        change = {"at": 0.0, "user": "ann", "uid": 1000, "pid": 7, "what": "approved in a workspace", "fields": fields}
        return list(_row(change))[4]

    assert about(workspace="shop", client="", always=False) == "workspace shop, client (no key)"
    assert about(workspace="shop", client="webui", always=True, action="Bash: ls") == (
        "workspace shop, client webui, always, action Bash: ls"
    )
