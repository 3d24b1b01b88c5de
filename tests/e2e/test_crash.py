"""kill -9 of the daemon: nothing that it started outlives it, whatever it was doing."""

from __future__ import annotations

import sys
from contextlib import suppress

import openai
import pytest
import trio

from claudegwd.demo.script import RecordedRequest, Reply, Text, ToolUse, Wait
from tests.e2e.harness import Running, running

pytestmark = [pytest.mark.cli, pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends orphans for us")]

TOOLS = [{"type": "function", "function": {"name": "alpha", "parameters": {"type": "object"}}}]


def script(request: RecordedRequest) -> Reply:
    """A call where there is a tool; else a stream that goes on until somebody ends it."""
    if request.body.get("tools"):
        return Reply((ToolUse("toolu_1", "alpha", {}),), stop_reason="tool_use")
    return Reply((Text(("begun ",)), Wait(trio.Event())))


async def _ask(gateway: Running) -> None:
    with suppress(openai.APIError):
        await gateway.ask("Take your time.")


async def test_workers_in_every_state_end_with_a_daemon_that_is_killed() -> None:
    """In mid-turn the CLI does not look at the end of its input: it would ask its upstream on and on."""
    async with running(script) as gateway, trio.open_nursery() as nursery:
        await gateway.ask("Be parked.", tools=TOOLS)
        nursery.start_soon(_ask, gateway)
        await gateway.until_workers(parked=1, busy=1, spare=1)
        await gateway.crash_and_restart()  # which waits for the end of all that the daemon had started
