"""The daemon's own files: nobody else's while it runs, and made anew when somebody removes them."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trio

from claudegwd.demo.replies import echo
from tests.control_cli import ctl
from tests.e2e.daemon_process import START_SECONDS, Daemon
from tests.e2e.harness import Running, running
from tests.fake_binary import write_fake_cli

CONFIG = '[auth]\nrequired = true\n[claude]\nmodels = ["fake-echo-1"]\n'


@contextmanager
def second(gateway: Running, cli: Path) -> Iterator[Daemon]:
    """Another daemon on the same state, with a socket and a port of its own."""
    daemon = Daemon(gateway.daemon.upstream, cli=cli, env={"STATE_DIRECTORY": str(gateway.home / "state")})
    try:
        yield daemon
    finally:
        daemon.remove()


async def refusal(daemon: Daemon) -> str:
    """What a daemon says that cannot start: one line."""
    process = daemon.spawn()
    status = await trio.to_thread.run_sync(lambda: process.wait(START_SECONDS))
    assert status == 1, daemon.log()
    [line] = daemon.log().splitlines()
    return line


async def test_two_daemons_do_not_share_a_state(tmp_path: Path) -> None:
    cli = write_fake_cli(tmp_path)
    async with running(echo(), config=CONFIG, cli=cli) as gateway:
        with second(gateway, cli) as other:
            line = await refusal(other)
            assert "cannot use the state in " in line
            assert f"process {gateway.pid} is using it" in line
        assert (await ctl(gateway.daemon.socket, "clients", "create", "laptop")).status == 0


async def test_the_next_one_waits_for_the_one_before_to_end(tmp_path: Path) -> None:
    cli = write_fake_cli(tmp_path)
    async with running(echo(), config=CONFIG, cli=cli) as gateway:
        with second(gateway, cli) as other:
            other.spawn()
            waiting = other.home / "control.sock"  # it has this before it waits for the state

            async def waits() -> bool:
                return waiting.exists()

            await gateway.until(waits)
            gateway.daemon.signal(signal.SIGTERM)
            await gateway.ended()
            await trio.to_thread.run_sync(other.wait_until_ready)
            await trio.to_thread.run_sync(other.stop)


async def test_a_locked_state_file_is_no_start_without_one(tmp_path: Path) -> None:
    daemon = Daemon("http://127.0.0.1:9", cli=write_fake_cli(tmp_path))
    try:
        file = daemon.home / "state" / "state.db"
        file.parent.mkdir()
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE other (x)")
            connection.execute("BEGIN EXCLUSIVE")
            line = await refusal(daemon)
        assert f"cannot use the state file {file}: another process keeps it locked" in line
    finally:
        daemon.remove()


@pytest.mark.parametrize("everything", [False, True])
async def test_files_that_were_removed_are_made_anew(tmp_path: Path, *, everything: bool) -> None:
    async with running(echo(), config=CONFIG, cli=write_fake_cli(tmp_path)) as gateway:
        socket, state = gateway.daemon.socket, gateway.home / "state"

        async def listed() -> dict[str, str]:
            done = await ctl(socket, "clients", "list", "--json")
            return {row["name"]: row["state"] for row in done.json["clients"]} if done.status == 0 else {}

        for name in ("before", "gone"):
            assert (await ctl(socket, "clients", "create", name)).status == 0
        assert (await ctl(socket, "clients", "revoke", "gone")).status == 0
        socket.unlink()
        if everything:
            shutil.rmtree(state)
        else:
            (state / "state.db").unlink()

        async def is_there() -> bool:
            said = [f'was removed; it was recreated kind="{file}"' for file in ("the control socket", "the state file")]
            return all(line in gateway.log for line in said)

        await gateway.until(is_there)
        assert (await ctl(socket, "status")).status == 0
        assert (await ctl(socket, "clients", "create", "after")).status == 0
        await gateway.crash_and_restart()
        assert await listed() == {"before": "active", "gone": "revoked", "after": "active"}
        assert os.access(socket, os.R_OK)
