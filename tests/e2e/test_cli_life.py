"""Trying, using and leaving versions of the Claude Code CLI, under the load of real requests."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest
import trio

from claudegwctl.cli_life.trial import Verdict, verdicts
from claudegwd.demo.replies import echo
from tests.cli_binary import find_cli
from tests.control_cli import ctl, ctl_without_daemon
from tests.e2e.harness import Running, running

pytestmark = pytest.mark.cli

# Says its version and nothing else: what a CLI would be that changed its protocol.
NAMED_BY_PATH = f"claude.binary is {find_cli()}, and overrides any version"
BROKEN = "#!/bin/sh\n[ \"$1\" = --version ] && echo '2.1.999 (Claude Code)' || exit 3\n"


async def test_the_contract_check_passes_the_cli_that_is_here() -> None:
    found = await trio.to_thread.run_sync(lambda: list(verdicts(find_cli())))
    assert [verdict for verdict in found if verdict.problem] == []
    assert {verdict.name for verdict in found} == {
        "stream", "whole body", "warm", "tools", "rotation", "cut", "replay", "rewind", "parked tools",
    }  # fmt: skip


async def test_the_contract_check_fails_another(tmp_path: Path) -> None:
    (tmp_path / "claude").write_text(BROKEN)
    (tmp_path / "claude").chmod(0o755)
    [verdict] = await trio.to_thread.run_sync(lambda: list(verdicts(tmp_path / "claude")))
    assert isinstance(verdict, Verdict)
    assert (verdict.name, verdict.problem[:17]) == ("start", "it does not start")


def renumbered(version: str, other: str) -> bytes:
    """The real CLI, but for what it says of its number."""
    script = f"""#!{sys.executable}
import subprocess, sys
child = subprocess.Popen(["{find_cli()}", *sys.argv[1:]], stdout=subprocess.PIPE)
for line in child.stdout:
    sys.stdout.buffer.write(line.replace(b"{version}", b"{other}"))
    sys.stdout.buffer.flush()
sys.exit(child.wait())
"""
    return script.encode()


def keep(state: Path, version: str, content: bytes | None) -> None:
    """As if it had been fetched and had passed; without content the CLI that is here."""
    folder = state / "cli" / version
    folder.mkdir(parents=True)
    binary = folder / "claude"
    if content is None:
        binary.symlink_to(find_cli())
    else:
        binary.write_bytes(content)
        binary.chmod(0o755)
    record = {"release": "0.2.1", "sha256": hashlib.sha256(binary.read_bytes()).hexdigest(), "problems": []}
    (folder / "record.json").write_text(json.dumps(record))


async def test_using_another_loses_nothing_and_a_broken_one_is_left_again() -> None:
    async with running(echo()) as gateway:
        socket = gateway.daemon.socket
        keep(gateway.home / "state", "2.1.998", None)
        keep(gateway.home / "state", "2.1.999", BROKEN.encode())
        real = (await gateway.status())["claude_version"]
        answered = 0

        async def load() -> None:
            nonlocal answered
            while True:
                assert (await gateway.ask(f"question {answered}")).reason == "stop"
                answered += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(load)
            nursery.start_soon(load)
            done = await ctl(socket, "cli", "use", "2.1.998")
            assert done.status == 0, done.err
            listed = (await ctl(socket, "cli", "list", "--json")).json
            assert [row["version"] for row in listed["versions"] if row["used"]] == ["2.1.998"]
            assert [row["version"] for row in listed["versions"] if row["named"]] == ["2.1.998"]
            before = answered
            await gateway.until(partial(_reached, lambda: answered, before + 2))
            assert (await ctl(socket, "cli", "rollback")).status == 0
            assert (await gateway.status())["claude_binary"] == str(find_cli())
            before = answered
            await gateway.until(partial(_reached, lambda: answered, before + 2))
            nursery.cancel_scope.cancel()
        # One that passed the check and starts no more, as after a change of the machine.
        done = await ctl(socket, "cli", "use", "2.1.999")
        assert (done.status, "stays in use" in done.err) == (1, True), done
        status = await gateway.status()
        assert (status["claude_binary"], status["claude_version"]) == (str(find_cli()), real)
        assert (await gateway.ask("all is well")).reason == "stop"


async def test_one_that_breaks_later_is_left_by_rollback() -> None:
    """As when an update of the machine breaks what had passed: nothing starts, and one command goes back."""
    async with running(echo()) as gateway:
        socket = gateway.daemon.socket
        real = (await gateway.status())["claude_version"]
        keep(gateway.home / "state", "2.1.998", renumbered(real, "2.1.998"))
        done = await ctl(socket, "cli", "use", "2.1.998")
        assert done.status == 0, done.err
        (gateway.home / "state" / "cli" / "2.1.998" / "claude").write_text(BROKEN)
        await gateway.until_workers(starting=0)
        for row in await gateway.workers():
            os.kill(row["pid"], signal.SIGKILL)
        await gateway.until(partial(_degraded, gateway))
        done = await ctl(socket, "cli", "rollback")
        assert (done.status, done.out) == (0, f"new processes use {real}\n"), done.err
        assert (await gateway.ask("all is well")).reason == "stop"
        assert (await gateway.status())["claude_binary"] == str(find_cli())
        listed = await ctl(socket, "cli", "list")
        assert listed.out.splitlines()[-2:] == [f"in use: {find_cli()}", NAMED_BY_PATH]


def test_the_list_without_a_daemon_says_what_the_file_names(tmp_path: Path) -> None:
    keep(tmp_path / "state" / "claudegwd", "2.1.998", BROKEN.encode())
    config = tmp_path / "config.toml"
    here = {"XDG_STATE_HOME": str(tmp_path / "state"), "CLAUDEGWD_CONFIG": str(config)}

    def named(version: str) -> tuple[list[bool], str]:
        config.write_text(f'[claude]\nversion = "{version}"\n')
        words = ("--socket", str(tmp_path / "none.sock"), "cli", "list")
        rows = ctl_without_daemon(*words, "--json", **here).json["versions"]
        return [row["named"] for row in rows], ctl_without_daemon(*words, **here).out.splitlines()[-1]

    assert named("2.1.998") == ([True], 'claude.version is "2.1.998"')
    assert named("newest")[0] == [True]
    assert named("pinned") == ([False], 'claude.version is "pinned": the one that came with the gateway')
    assert named("2.1.997")[1].endswith("which has not been fetched: `claudegwctl cli try 2.1.997` fetches it")


async def _degraded(gateway: Running) -> bool:
    return bool((await gateway.status())["problem"])


async def test_the_version_is_that_of_the_cli_in_use() -> None:
    async with running(echo()) as gateway:
        socket = gateway.daemon.socket
        real = (await gateway.status())["claude_version"]
        keep(gateway.home / "state", "2.1.998", renumbered(real, "2.1.998"))
        done = await ctl(socket, "cli", "use", "2.1.998", "--json")
        assert done.status == 0, done.err
        assert (done.json["used"], done.json["claude_version"]) == ("2.1.998", "2.1.998")
        assert (await gateway.status())["claude_version"] == "2.1.998"
        assert (await gateway.http.get("/health")).json()["claude_version"] == "2.1.998"
        assert (await ctl(socket, "config", "get", "claude.version")).out.strip() == "2.1.998"
        assert (await gateway.ask("all is well")).reason == "stop"
        # "newest" is what has passed: a later one joins it by `try` and a reload.
        assert (await ctl(socket, "cli", "use", "newest")).status == 0
        assert (await gateway.status())["claude_version"] == "2.1.998"
        assert (await ctl(socket, "cli", "use", "pinned")).status == 0
        assert (await gateway.status())["claude_version"] != "2.1.998"
        again = await ctl(socket, "cli", "use", "pinned")  # which is not what `rollback` goes back to
        assert (again.status, again.out) == (0, f"new processes already use {real}\n")
        assert (await ctl(socket, "cli", "rollback")).status == 0
        assert (await ctl(socket, "config", "get", "claude.version")).out.strip() == "newest"


async def _reached(count: object, wanted: int) -> bool:
    assert callable(count)
    return bool(count() >= wanted)
