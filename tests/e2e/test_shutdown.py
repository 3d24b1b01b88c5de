"""How it stops, and what is left."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest
import trio

from claudegwd.demo.replies import echo
from claudegwd.demo.script import Reply, Text, ToolUse, Wait
from tests.e2e.harness import MODEL, as_messages, running

pytestmark = pytest.mark.cli

TOOLS = [{"type": "function", "function": {"name": "alpha", "parameters": {"type": "object"}}}]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_running_answer_may_end(number: signal.Signals) -> None:
    release = trio.Event()
    async with running(lambda _: Reply((Text(("begun ",)), Wait(release), Text(("and ended",))))) as gateway:
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


async def test_workers_in_every_state_are_ended_at_once() -> None:
    script = Reply((ToolUse("toolu_1", "alpha", {}),), stop_reason="tool_use")
    async with running(echo()) as gateway:
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
    async with running(lambda _: Reply((Text(("begun ",)), Wait(release))), config=config) as gateway:
        errors: list[Any] = []

        async def queued() -> None:
            errors.append(await gateway.refused("I wait."))
            release.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(gateway.ask, "The only worker.")
            await gateway.endpoint.wait_for(1)
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
    async with running(lambda _: Reply((Text(flood),))) as gateway:
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

        async def settled() -> tuple[int, int, int]:
            await gateway.until_workers(idle=0, spare=1, busy=0, closing=0)
            homes = len(list((gateway.home / "tmp").glob("*/worker-*")))
            return gateway.daemon.descriptors(), len(list(gateway.daemon.processes())), homes

        await gateway.ask("Warm up.")
        await gateway.ask("Again.")
        before = await settled()
        for number in range(20):
            await gateway.ask(f"Request {number}.")
        after = await settled()
        # One descriptor fewer is no leak: a connection of the first requests may have ended since.
        assert all(now <= then for now, then in zip(after, before, strict=True)), (after, before)


async def test_a_killed_daemon_leaves_no_worker_alive() -> None:
    async with running(echo()) as gateway:
        await gateway.ask("Be idle.")
        await gateway.until_workers(idle=1, spare=1)
        await trio.to_thread.run_sync(gateway.daemon.kill)

        async def all_are_gone() -> bool:
            return not list(gateway.daemon.processes())

        await gateway.until(all_are_gone, 5)
        await trio.to_thread.run_sync(gateway.daemon.start)
        assert len(list((gateway.home / "tmp").glob("claudegwd-*"))) == 1  # what the killed one left is removed
