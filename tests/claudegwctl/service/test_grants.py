from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from claudegwctl.service.grants import again, is_system, step
from claudegwctl.service.host import Host
from claudegwctl.service.steps import PutFile, Remove

HOST = Host("systemd", 257, 0, "root", Path("/root"), Path("/opt/gw/bin"), (Path("/usr/bin/python3"),))


def settings(workspace: dict[str, object], *, system: bool = True) -> list[str]:
    made = step(HOST, {"shop": workspace}, system=system)
    assert isinstance(made, PutFile)
    return [line for line in made.data.decode().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(
    ("workspace", "lines"),
    [
        ({"directory": "/srv/shop"}, ["ReadOnlyPaths=-/srv/shop"]),
        ({"directory": "/srv/shop", "tools": ["Read", "WebFetch"]}, ["ReadOnlyPaths=-/srv/shop"]),
        ({"directory": "/srv/shop", "tools": ["Read", "Bash"]}, ["ReadWritePaths=-/srv/shop"]),
        ({"directory": "/srv/shop", "tools": ["Edit"]}, ["ReadWritePaths=-/srv/shop"]),
        ({"directory": "/srv/shop", "allow": ["mcp__git"], "mcp": "/m.json"}, ["ReadWritePaths=-/srv/shop"]),
        ({"directory": "/home/kim/a b"}, ["ProtectHome=tmpfs", 'BindReadOnlyPaths="-/home/kim/a b"']),
        ({"directory": "/home/kim/x", "tools": ["Bash"]}, ["ProtectHome=tmpfs", "BindPaths=-/home/kim/x"]),
        ({"directory": "/tmp/x", "tools": ["Bash"]}, ["BindPaths=-/tmp/x"]),
    ],
)
def test_a_line_for_each_directory(workspace: dict[str, object], lines: list[str]) -> None:
    calls = "mount_setattr open_tree move_mount fsopen fsconfig fsmount"
    sandbox = ["RestrictNamespaces=user pid net mnt ipc", f"SystemCallFilter={calls}"]
    assert settings(workspace) == ["[Service]", *sandbox, *lines]
    assert settings(workspace, system=False) == ["[Service]", *sandbox]


def test_several_in_one_directory_may_do_what_one_of_them_may() -> None:
    both = {"a": {"directory": "/srv/a", "tools": ["Edit"]}, "b": {"directory": "/srv/a"}}
    for workspaces in (both, dict(reversed(both.items()))):
        made = step(HOST, workspaces, system=True)
        assert isinstance(made, PutFile)
        assert made.data.decode().splitlines()[-1] == "ReadWritePaths=-/srv/a"


def test_where_it_lies_and_that_it_goes() -> None:
    for system, place in ((True, "/etc/systemd/system"), (False, "/root/.config/systemd/user")):
        path = Path(f"{place}/claudegwd.service.d/workspaces.conf")
        assert step(HOST, {"a": {"directory": "/srv/a"}}, system=system).path == path
        assert step(HOST, {}, system=system) == Remove(path)
    assert again(system=True) == "sudo systemctl daemon-reload && sudo systemctl restart claudegwd"


def test_what_is_written_is_ours_to_replace(tmp_path: Path) -> None:
    host = replace(HOST, root=tmp_path)
    for names in ("a", "ab", ""):
        made = step(host, {name: {"directory": f"/srv/{name}"} for name in names}, system=True)
        made.do()
        assert made.is_done()
        assert made.path.exists() is bool(names)


def test_other_configurations_are_of_no_service(tmp_path: Path) -> None:
    for manager in ("", "launchd", "systemd"):
        assert is_system(replace(HOST, manager=manager), tmp_path / "config.toml") is None


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_understands_it(tmp_path: Path) -> None:
    made = step(
        HOST, {"a": {"directory": '/home/kim/50% "x"', "tools": ["Bash"]}, "b": {"directory": "/srv"}}, system=True
    )
    assert isinstance(made, PutFile)
    unit = tmp_path / "claudegwd.service"
    unit.write_text(made.data.decode() + "ProtectSystem=strict\nExecStart=/bin/true\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert str(unit) not in done.stderr
    assert "claudegwd.service:" not in done.stderr
