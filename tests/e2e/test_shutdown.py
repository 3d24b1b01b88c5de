"""How it stops, and what is left."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
import trio

from claudegwd.demo.replies import echo
from claudegwd.demo.script import ScriptedReply, Text, ToolUse, Wait
from tests.arrivals import arrived
from tests.e2e.daemon_process import START_SECONDS, STOP_SECONDS
from tests.e2e.harness import MODEL, Daemon, Running, as_messages, running

pytestmark = pytest.mark.cli

# What asks for the number of workers is a connection itself, which the daemon closes a moment after its answer.
SETTLE_SECONDS = 0.2

TOOLS = [{"type": "function", "function": {"name": "alpha", "parameters": {"type": "object"}}}]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_running_answer_may_end(number: signal.Signals) -> None:
    release = trio.Event()
    async with running(lambda _: ScriptedReply((Text(("begun ",)), Wait(release), Text(("and ended",))))) as gateway:
        wanted: Any = {"model": MODEL, "messages": as_messages("Take your time."), "stream": True}
        said = ""
        async for chunk in await gateway.client.chat.completions.create(**wanted):
            said += chunk.choices[0].delta.content or ""
            if said == "begun " and not release.is_set():
                gateway.daemon.signal(number)

                async def drains() -> bool:
                    return bool((await gateway.status())["state"] == "draining")

                await gateway.until(drains)
                assert (await gateway.http.get("/readyz")).status_code == 503
                error = await gateway.refused("Too late.")
                assert error.status_code == 503
                assert float(error.response.headers["retry-after"]) > 0
                assert error.response.headers["connection"] == "close"
                release.set()
        assert said == "begun and ended"
        await gateway.ended()


def test_one_that_is_still_starting_ends_at_once(tmp_path: Path) -> None:
    """A CLI that says nothing would be waited for half a minute."""
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    silent.chmod(0o755)
    daemon = Daemon("http://127.0.0.1:9", cli=silent)
    try:
        process = daemon.spawn()
        while not any("tail -f" in command for _, command in daemon.processes()):
            assert process.poll() is None, daemon.log()
        daemon.stop()
    finally:
        daemon.remove()


async def test_workers_in_every_state_are_ended_at_once() -> None:
    script = ScriptedReply((ToolUse("toolu_1", "alpha", {}),), stop_reason="tool_use")
    async with running(echo(), env={"CLAUDEGWD_WORKERS__CARRIER": "transcript"}) as gateway:
        await gateway.ask("Be idle.")
        gateway.endpoint.script = lambda _: script
        await gateway.ask("Be parked.", tools=TOOLS)
        await gateway.until_workers(idle=1, parked=1, spare=1)
        begun = time.monotonic()
        gateway.daemon.signal(signal.SIGTERM)
        await gateway.ended()
        assert time.monotonic() - begun < 5


async def test_who_waits_in_the_queue_is_told() -> None:
    release = trio.Event()
    config = "[workers]\nspares = 0\nmax = 1"
    async with running(lambda _: ScriptedReply((Text(("begun ",)), Wait(release))), config=config) as gateway:
        errors: list[Any] = []

        async def queued() -> None:
            errors.append(await gateway.refused("I wait."))
            release.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(gateway.ask, "The only worker.")
            await arrived(gateway.endpoint, 1)
            nursery.start_soon(queued)

            async def waits() -> bool:
                return bool((await gateway.status())["requests"]["queued"] == 1)

            await gateway.until(waits)
            gateway.daemon.signal(signal.SIGTERM)
        [error] = errors
        assert error.status_code == 503
        assert float(error.response.headers["retry-after"]) > 0
        await gateway.ended()


async def test_a_second_signal_stops_at_once_whatever_a_client_does() -> None:
    flood = tuple("x" * 10_000 for _ in range(3_000))
    async with running(lambda _: ScriptedReply((Text(flood),))) as gateway:
        body = {"model": MODEL, "messages": as_messages("Flood."), "stream": True}
        async with gateway.http.stream("POST", "/v1/chat/completions", json=body) as response:
            assert response.status_code == 200  # and nothing more is read

            async def is_stuck() -> bool:
                return bool((await gateway.status())["state"] == "draining")

            gateway.daemon.signal(signal.SIGTERM)
            await gateway.until(is_stuck)
            assert gateway.daemon.exit_status is None
            begun = time.monotonic()
            gateway.daemon.signal(signal.SIGTERM)
            await gateway.ended()
            assert time.monotonic() - begun < 5


async def test_twenty_requests_leave_nothing_behind() -> None:
    async with running(echo(), config="[workers]\nmax = 2\nidle_seconds = 1") as gateway:

        def counts() -> tuple[int, int, int]:
            homes = len(list((gateway.home / "tmp").glob("*/worker-*")))
            return gateway.daemon.descriptors(), len(list(gateway.daemon.processes())), homes

        async def settled() -> tuple[int, int, int]:
            await gateway.until_workers(idle=0, spare=1, busy=0, closing=0)
            await trio.sleep(SETTLE_SECONDS)
            return counts()

        await gateway.ask("Warm up.")
        await gateway.ask("Again.")
        before = await settled()
        for number in range(20):
            await gateway.ask(f"Request {number}.")

        async def is_as_before() -> bool:
            # One descriptor fewer is no leak: a connection of the first requests may have ended since.
            return all(now <= then for now, then in zip(await settled(), before, strict=True))

        await gateway.until(is_as_before)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends orphans for us")
async def test_a_killed_daemon_leaves_no_worker_alive() -> None:
    """Above all none in mid-turn: there the CLI does not look at the end of its input, and asks its upstream on."""
    call = ScriptedReply((ToolUse("toolu_1", "alpha", {}),), stop_reason="tool_use")
    env = {"CLAUDEGWD_WORKERS__CARRIER": "transcript"}
    async with running(echo(), env=env) as gateway, trio.open_nursery() as nursery:
        await gateway.ask("Be idle.")
        gateway.endpoint.script = lambda _: call
        await gateway.ask("Be parked.", tools=TOOLS)
        gateway.endpoint.script = lambda _: ScriptedReply((Text(("begun ",)), Wait(trio.Event())))
        nursery.start_soon(_ask_in_vain, gateway)
        await gateway.until_workers(idle=1, parked=1, busy=1, spare=1)
        await gateway.crash_and_restart()  # which waits for the end of all that the daemon had started
        assert len(list((gateway.home / "tmp").glob("claudegwd-*"))) == 1  # what the killed one left is removed


async def _ask_in_vain(gateway: Running) -> None:
    with pytest.raises(openai.APIConnectionError):
        await gateway.ask("Be busy.")


async def test_signals_without_end_leave_nothing_behind() -> None:
    async with running(echo()) as gateway:
        await gateway.ask("Have a worker.")
        gateway.daemon.signal(signal.SIGUSR1)
        gateway.daemon.signal(signal.SIGUSR2)
        await gateway.ask("Are you still there?")
        process = gateway.daemon.process
        assert process is not None
        while process.poll() is None:
            gateway.daemon.signal(signal.SIGTERM)
            await trio.sleep(SETTLE_SECONDS / 100)  # the pause between two signals
        await gateway.ended()
        assert list((gateway.daemon.home / "tmp").iterdir()) == []


@pytest.mark.parametrize("nohup", [False, True])
def test_a_terminal_that_closes_ends_it(nohup: bool) -> None:
    daemon = Daemon("http://127.0.0.1:9")
    try:
        leader, follower = pty.openpty()
        command = [sys.executable, "-c", _ON_A_TERMINAL, str(follower), "nohup" if nohup else ""]
        command += [sys.executable, "-m", "claudegwd", "--config", str(daemon.config_file)]
        with daemon.log_file.open("wb") as log:
            process = subprocess.Popen(
                command, env=daemon.environment(), stderr=log, pass_fds=[follower], start_new_session=True
            )
        os.close(follower)
        wait_for(lambda: " ready " in daemon.log())
        os.close(leader)
        if nohup:
            wait_for(lambda: " reloaded" in daemon.log())
            process.terminate()
        assert process.wait(STOP_SECONDS) == 0
    finally:
        daemon.remove()


# A session leader on a terminal of its own, which it becomes before it becomes the daemon.
_ON_A_TERMINAL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0)
if sys.argv[2]:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.execv(sys.argv[3], sys.argv[3:])
"""


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(SETTLE_SECONDS / 10)


async def test_who_watches_the_status_goes_on_after_a_restart() -> None:
    async with running(echo()) as gateway:
        command = [sys.executable, "-m", "claudegwctl", "--socket", str(gateway.daemon.socket), "status"]
        watching = await trio.lowlevel.open_process(
            [*command, "--watch", "--interval", "0.1", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=gateway.daemon.environment(),
        )  # fmt: skip
        assert watching.stdout is not None
        assert watching.stderr is not None
        try:
            assert await watching.stdout.receive_some()
            before = gateway.pid
            gateway.daemon.signal(signal.SIGTERM)
            said = b""
            while b"; waiting" not in said:
                said += await watching.stderr.receive_some()
            await gateway.ended()
            await trio.to_thread.run_sync(gateway.daemon.start)
            assert gateway.pid != before
            seen = b""
            while f'"pid": {gateway.pid}'.encode() not in seen:
                more = await watching.stdout.receive_some()
                assert more, "it has ended"
                seen += more
            watching.send_signal(signal.SIGINT)
            assert await watching.wait() == 0
        finally:
            watching.kill()
