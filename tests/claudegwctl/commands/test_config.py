from __future__ import annotations

import tomllib
from pathlib import Path

from tests.control_cli import ctl, ctl_without_daemon
from tests.small_gateway import SmallGateway


async def test_showing_what_is_set(gateway: SmallGateway, socket: Path) -> None:
    assert "everything is at its default" in (await ctl(socket, "config", "show")).out
    gateway.config_file.write_text('[workers]\nmax = 3\n[claude]\naliases = { "gpt-4o" = "opus" }\n')
    await ctl(socket, "reload")
    done = await ctl(socket, "config", "show")
    assert done.out.splitlines() == [
        f"# {gateway.config_file}",
        "[claude]",
        'aliases = { "gpt-4o" = "opus" }',
        "[workers]",
        "max = 3",
    ]


async def test_all_of_it_is_a_configuration(gateway: SmallGateway, socket: Path, tmp_path: Path) -> None:
    done = await ctl(socket, "config", "show", "--all")
    data = tomllib.loads(done.out)
    assert data["limits"]["queue"] == 64
    assert data["server"]["bind"] == ["127.0.0.1:8000"]
    gateway.config_file.write_text(done.out)
    assert (await ctl(socket, "config", "check")).out == (
        f"{gateway.config_file} is fine; a reload would change nothing\n"
    )


async def test_what_waits_for_a_restart(gateway: SmallGateway, socket: Path) -> None:
    gateway.config_file.write_text('[server]\nbind = ["127.0.0.1:9"]\n')
    await ctl(socket, "reload")
    assert '# after a restart: server.bind = ["127.0.0.1:9"]' in (await ctl(socket, "config", "show")).out


async def test_checking_a_broken_file(gateway: SmallGateway, socket: Path) -> None:
    gateway.config_file.write_text("[workers]\nmx = 3\n")
    done = await ctl(socket, "config", "check")
    assert done.status == 1
    assert "the nearest is workers.max" in done.err


async def test_where_it_lies(gateway: SmallGateway, socket: Path) -> None:
    assert (await ctl(socket, "config", "path")).out == f"{gateway.config_file}\n"
    assert (await ctl(socket, "config", "path", "--json")).json == {
        "path": str(gateway.config_file), "exists": True, "running": True,
    }  # fmt: skip


def test_where_it_would_lie(nowhere: Path) -> None:
    done = ctl_without_daemon("--socket", str(nowhere), "config", "path", CONFIGURATION_DIRECTORY="/etc/claudegwd")
    assert (done.status, done.out) == (0, "/etc/claudegwd/config.toml\n")
    assert "not running" in done.err
