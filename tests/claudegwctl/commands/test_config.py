from __future__ import annotations

import tomllib
from pathlib import Path

import trio

from claudegwd.config.load import load
from tests.control_cli import ctl, ctl_without_daemon
from tests.small_gateway import SmallGateway


async def test_showing_what_is_set(gateway: SmallGateway, socket: Path) -> None:
    nothing = f"# {gateway.config_file}\n# everything is at its default"
    assert (await ctl(socket, "config", "show")).out == f"{nothing}; --all shows it\n"
    shown = (await ctl(socket, "config", "show", "--all")).out
    assert shown.startswith(f"{nothing}\n[server]\n")
    assert tomllib.loads(shown)["workers"]["spares"] == 1
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
        f"{gateway.config_file} is valid; a reload would change nothing\n"
    )


async def test_what_waits_for_a_restart(gateway: SmallGateway, socket: Path) -> None:
    gateway.config_file.write_text('[server]\nbind = ["127.0.0.1:9"]\n')
    await ctl(socket, "reload")
    assert '# after a restart: server.bind = ["127.0.0.1:9"]' in (await ctl(socket, "config", "show")).out


async def test_checking_a_broken_file(gateway: SmallGateway, socket: Path) -> None:
    gateway.config_file.write_text("[workers]\nmx = 3\n")
    done = await ctl(socket, "config", "check")
    assert done.status == 1
    assert "did you mean workers.max" in done.err


async def test_where_it_lies(gateway: SmallGateway, socket: Path) -> None:
    assert (await ctl(socket, "config", "path")).out == f"{gateway.config_file}\n"
    assert (await ctl(socket, "config", "path", "--json")).json == {
        "path": str(gateway.config_file), "exists": True, "running": True,
    }  # fmt: skip


def test_where_it_would_lie(nowhere: Path) -> None:
    done = ctl_without_daemon("--socket", str(nowhere), "config", "path", CONFIGURATION_DIRECTORY="/etc/claudegwd")
    assert (done.status, done.out) == (0, "/etc/claudegwd/config.toml\n")
    assert "not running" in done.err


async def test_getting_and_setting(gateway: SmallGateway, socket: Path) -> None:
    gateway.config_file.write_text("# mine\n[workers]\nmax = 3  # few\n")
    assert (await ctl(socket, "config", "set", "workers.max", "5")).out.startswith(f"wrote {gateway.config_file}; ")
    assert gateway.config_file.read_text() == "# mine\n[workers]\nmax = 5  # few\n"
    await ctl(socket, "reload")
    assert (await ctl(socket, "config", "get", "workers.max")).out == "5\n"
    assert (await ctl(socket, "config", "set", "workers.max", "5", "--json")).json["changed"] is False
    await ctl(socket, "config", "set", "workers.max", "--default")
    assert "max" not in gateway.config_file.read_text()
    await ctl(socket, "config", "set", "workers.spares", "0")
    gateway.config_file.write_text(gateway.config_file.read_text() + "mx = 1\n")
    assert (await ctl(socket, "config", "set", "workers.mx", "--default")).status == 0
    for status, *words in (
        (1, "get", "workers.mx"),
        (1, "set", "workers.mx", "1"),
        (1, "set", "workers.mx", "--default"),
        (2, "set", "workers.max"),
    ):
        done = await ctl(socket, "config", *words)
        assert (done.status, done.out, done.err[:7]) == (status, "", "cannot ")


async def test_what_applies_a_change(gateway: SmallGateway, socket: Path, nowhere: Path, tmp_path: Path) -> None:
    wrote = f"wrote {gateway.config_file}; "
    assert (await ctl(socket, "config", "set", "workers.max", "5")).out == f"{wrote}`claudegwctl reload` applies it\n"
    await ctl(socket, "reload")
    done = await ctl(socket, "config", "set", "server.bind", '["127.0.0.1:9"]')
    assert done.out.startswith(f"{wrote}it takes effect after a restart of claudegwd")
    done = await ctl(socket, "config", "set", "workers.max", "6")
    assert "reload` applies it, except server.bind: a restart" in done.out
    done = await ctl(nowhere, "config", "set", "workers.max", "5", CONFIGURATION_DIRECTORY=str(tmp_path))
    assert done.out == f"wrote {tmp_path}/config.toml; claudegwd is not running, and applies it when it starts\n"


async def test_a_similar_name_is_suggested(socket: Path) -> None:
    done = await ctl(socket, "config", "get", "workers.mx")
    assert done.err.startswith("cannot find the setting 'workers.mx': did you mean workers.max? `claudegwctl config")


async def test_editing(gateway: SmallGateway, socket: Path) -> None:
    gateway.config_file.write_text("[workers]\nmax = 3\n")
    done = await ctl(socket, "config", "edit", EDITOR="sed -i s/3/4/", VISUAL="")
    assert done.out.startswith("wrote ")
    assert gateway.config_file.read_text() == "[workers]\nmax = 4\n"
    done = await ctl(socket, "config", "edit", EDITOR="sed -i s/max/mx/", VISUAL="")
    assert (done.status, "workers.mx" in done.err) == (1, True)
    assert gateway.config_file.read_text() == "[workers]\nmax = 4\n"
    assert "needs no change" in (await ctl(socket, "config", "edit", EDITOR="true", VISUAL="")).out
    done = await ctl(socket, "config", "edit", EDITOR="", VISUAL="")
    assert (done.status, done.err.split(":")[0]) == (1, "cannot start an editor without a terminal")


async def test_changes_at_the_same_time_lose_nothing(gateway: SmallGateway, socket: Path, tmp_path: Path) -> None:
    gateway.config_file.write_text("# mine\n")
    wanted = {"workers.max": "7", "workers.idle_seconds": "11", "limits.queue": "13"}
    async with trio.open_nursery() as nursery:
        for key, value in wanted.items():
            nursery.start_soon(ctl, socket, "config", "set", key, value)
        nursery.start_soon(ctl, socket, "workspaces", "add", "shop", str(tmp_path))
    data = tomllib.loads(gateway.config_file.read_text())
    assert (data["workers"], data["limits"]) == ({"max": 7, "idle_seconds": 11}, {"queue": 13})
    assert list(data["workspaces"]) == ["shop"]


async def test_what_was_changed_while_the_editor_was_open_stays(
    gateway: SmallGateway, socket: Path, tmp_path: Path
) -> None:
    gateway.config_file.write_text("[workers]\nmax = 3\n")
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\necho "[log]" > {gateway.config_file}\nsed -i s/3/4/ "$1"\n')
    editor.chmod(0o755)
    done = await ctl(socket, "config", "edit", EDITOR=str(editor), VISUAL="")
    assert (done.status, done.err[:13]) == (1, "cannot write ")
    assert gateway.config_file.read_text() == "[log]\n"
    kept = Path(done.err.strip().rpartition(" ")[2])
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("[workers]\nmax = 4\n", 0o600)


async def test_a_setting_that_the_daemons_environment_overrides(gateway: SmallGateway, socket: Path) -> None:
    gateway.loaded = load(gateway.config_file, {"CLAUDEGWD_LOG__LEVEL": "info"})
    done = await ctl(socket, "config", "set", "log.level", "debug")
    assert (done.status, done.out) == (0, f"wrote {gateway.config_file}\n")
    assert done.err == "it has no effect: CLAUDEGWD_LOG__LEVEL in the daemon's environment overrides it\n"
