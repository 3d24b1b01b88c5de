from __future__ import annotations

import os
from pathlib import Path
from socket import AF_UNIX
from socket import socket as unix_socket

import pytest
import trio

from claudegwctl.checks.daemon import check
from claudegwctl.checks.finding import Finding, Scene
from claudegwctl.client import Daemon
from tests.small_gateway import SmallGateway


async def findings(scene: Scene) -> list[Finding]:
    return await trio.to_thread.run_sync(lambda: list(check(scene, Daemon(scene.socket))))


async def test_the_daemon_tells_of_itself(gateway: SmallGateway, socket: Path) -> None:
    gateway.config_file.write_text('[server]\nbind = ["127.0.0.1:9"]\n')
    await gateway.reload()
    scene = Scene({}, socket, Path("/elsewhere/config.toml"))
    daemon, state, configuration = await findings(scene)
    assert (daemon.level, state.about, state.level, configuration.level) == ("ok", "state", "problem", "note")
    assert state.says.startswith("state is kept in memory only")
    assert configuration.says == f"{gateway.config_file}: server.bind changed but not yet in effect"
    assert scene.config_file == gateway.config_file
    assert scene.settings["server.bind"] == ["127.0.0.1:8000"]
    assert scene.status is not None


async def test_the_state_that_cannot_be_used_comes_with_its_own_cure(gateway: SmallGateway, socket: Path) -> None:
    gateway.state_problem = "cannot use the state file /s: a newer claudegwd wrote it; install that one"
    daemon, state, *_ = await findings(Scene({}, socket, Path("/c")))
    assert daemon.level == "ok"
    assert state.mend == f"{gateway.state_problem}, then restart it"


async def test_the_store_that_machines_share(gateway: SmallGateway, socket: Path) -> None:
    gateway.shared = {"place": "10.0.0.2:6379", "version": "redis 7.0.15", "away_since": None, "problem": None}
    _, _, shared, *_ = await findings(Scene({}, socket, Path("/c")))
    assert (shared.level, "without a secret" in shared.says) == ("note", True)
    gateway.shared |= {"sealed": True}
    _, _, shared, *_ = await findings(Scene({}, socket, Path("/c")))
    assert (shared.about, shared.level, shared.says) == ("shared store", "ok", "10.0.0.2:6379 (redis 7.0.15)")
    gateway.shared |= {"away_since": 1.0, "problem": "no answer within 50 ms"}
    _, _, shared, *_ = await findings(Scene({}, socket, Path("/c")))
    assert shared.level == "problem"
    assert "is unavailable: no answer within 50 ms" in shared.says
    assert "reconnects by itself" in shared.mend
    gateway.shared |= {"problem": "shared.machine must be another name than gw1", "at_fault": "shared.machine"}
    _, _, shared, *_ = await findings(Scene({}, socket, Path("/c")))
    assert "must be another name" in shared.says
    assert shared.mend == "correct shared.machine and restart claudegwd"


async def test_a_file_that_would_be_refused(gateway: SmallGateway, socket: Path) -> None:
    gateway.config_file.write_text("[x]\n")
    *_, configuration = await findings(Scene({}, socket, Path("/c")))
    assert configuration.level == "problem"
    assert "x is an unknown section" in configuration.says


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket to another group")
@pytest.mark.parametrize(("group", "says"), [(0, "ask whoever runs"), (1, "join its group: `sudo usermod -aG ")])
async def test_a_socket_of_another_group(nowhere: Path, group: int, says: str) -> None:
    mine = os.getgroups()
    with unix_socket(AF_UNIX) as server:
        server.bind(str(nowhere))
        nowhere.chmod(0o660)
        os.chown(nowhere, 0, group)
        nowhere.parent.chmod(0o755)
        os.setgroups([])
        os.setegid(65534)
        os.seteuid(65534)
        try:
            found = next(check(Scene({}, nowhere, nowhere.with_name("config.toml")), Daemon(nowhere)))
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(mine)
    assert found.mend.startswith(says)


async def test_a_socket_that_was_left_behind(nowhere: Path) -> None:
    nowhere.touch()
    daemon, *_ = await findings(Scene({}, nowhere, Path("/c")))
    assert daemon.level == "problem"
    assert "left behind by a daemon that died" in daemon.says


async def test_conversations_that_are_kept(gateway: SmallGateway, socket: Path) -> None:
    assert "conversations" not in {finding.about for finding in await findings(Scene({}, socket, Path("/c")))}
    gateway.conversations = {"count": 2, "bytes": 1_234_567}
    found = {finding.about: finding for finding in await findings(Scene({}, socket, Path("/c")))}
    assert found["conversations"].level == "ok"
    assert found["conversations"].says.startswith("2 conversations, 1.2 MB kept ")


async def test_workspaces_that_are_not_confined(gateway: SmallGateway, socket: Path) -> None:
    gateway.sandbox_missing = ["files are not confined"]
    found = {finding.about: finding for finding in await findings(Scene({}, socket, Path("/c")))}
    assert found["sandbox"].level == "note"
    assert "files are not confined" in found["sandbox"].says
