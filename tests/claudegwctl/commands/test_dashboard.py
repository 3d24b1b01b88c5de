from __future__ import annotations

import signal
import socket as sockets
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.control_cli import ctl, environment
from tests.dashboard_process import Dashboard, dashboard
from tests.small_gateway import TOKENS


async def test_it_prints_a_link_that_works_once_and_ends_with_ctrl_c(socket: Path) -> None:
    def use(started: Dashboard) -> None:
        visitor = started.enter()
        state = visitor.get("api/state")
        assert state.json()["running"]
        assert not any(token in state.text for token in TOKENS)
        assert visitor.client.get(started.link).status_code == 403
        done = visitor.post("api/rotate", {"to": "second"})
        assert (done.status_code, done.json()["to"]) == (200, "second")
        assert started.end() == 0
        assert started.process.stderr is not None
        assert started.process.stderr.read() == "this link works once, in one browser; Ctrl-C stops the dashboard\n"

    async with dashboard(socket) as started:
        assert started.link.startswith("http://127.0.0.1:")
        await trio.to_thread.run_sync(use, started)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_other_ends(socket: Path, number: signal.Signals) -> None:
    async with dashboard(socket, "--json") as started:
        assert await trio.to_thread.run_sync(started.end, number) == 0


async def test_read_only(socket: Path) -> None:
    def use(started: Dashboard) -> None:
        visitor = started.enter()
        for path in ("rotate", "key", "reload"):
            assert visitor.post(f"api/{path}", {"name": "second", "status": "disabled"}).status_code == 403
        assert visitor.get("api/state").json()["read_only"]

    async with dashboard(socket, "--read-only", "--json") as started:
        await trio.to_thread.run_sync(use, started)


async def test_a_port_of_ones_own(socket: Path) -> None:
    with sockets.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = await ctl(socket, "dashboard", "--no-open", "--port", str(port))
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith(f"cannot listen on port {port}: ")
    async with dashboard(socket, "--port", str(port)) as started:
        assert started.origin == f"http://127.0.0.1:{port}"


async def test_no_link_is_in_the_process_list(socket: Path) -> None:
    async with dashboard(socket) as started:
        token = started.link.partition("token=")[2]
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                assert token.encode() not in entry.read_bytes()
            except OSError:
                continue


async def test_a_daemon_that_does_not_run_is_3(nowhere: Path) -> None:
    assert (await ctl(nowhere, "dashboard", "--no-open")).status == 3


def test_it_loads_its_server_only_when_it_serves(nowhere: Path) -> None:
    code = (
        "import sys; sys.argv = ['claudegwctl', '--socket', sys.argv[1], 'status']\n"
        "from claudegwctl.main import main\n"
        "try: main()\n"
        "except SystemExit: print(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(nowhere)], env=environment(), capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "claudegwctl.client" in loaded
    assert not {name for name in loaded if name.startswith(("h11", "claudegwctl.dashboard", "webbrowser"))}
