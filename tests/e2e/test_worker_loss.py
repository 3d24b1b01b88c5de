"""CLI processes that die, and clients that do: nothing hangs, nothing leaks, the next request is served."""

from __future__ import annotations

import time
from typing import Any

import pytest
import trio

from claudegwd.demo.replies import echo, say, sequence
from claudegwd.demo.script import Hold, ScriptedReply, Text, ToolUse, Wait
from tests.arrivals import arrived
from tests.e2e.harness import MODEL, Messages, Running, as_messages

pytestmark = pytest.mark.cli

SHARED = {"env": {"CLAUDEGWD_WORKERS__CARRIER": "transcript"}}

TOOLS = [{"type": "function", "function": {"name": "alpha", "parameters": {"type": "object"}}}]
# A worker is freed within a second; the machine is shared, so the test allows another.
FREED_SECONDS = 2.0


async def test_a_spare_that_dies_is_replaced(gateway: Running) -> None:
    await gateway.until_workers(spare=1)
    [spare] = await gateway.workers("spare")
    await gateway.kill(spare["pid"])
    await gateway.until_workers(spare=1)
    assert (await gateway.ask("After a spare's death.")).text == "After a spare's death."


async def test_an_idle_one_that_dies_is_replayed(gateway: Running) -> None:
    messages = as_messages("before")
    first = await gateway.ask(messages)
    await gateway.until_workers(busy=0, settling=0)
    for idle in await gateway.workers("idle"):
        await gateway.kill(idle["pid"])
    messages += [{"role": "assistant", "content": first.text}, {"role": "user", "content": "after"}]
    second = await gateway.ask(messages)
    assert second.how in ("spare", "cold")
    assert second.text == "after"
    assert len(gateway.upstream()[-1].messages) == 3


async def test_a_parked_one_that_dies_is_replayed(gateway: Running) -> None:
    call = ScriptedReply((ToolUse("toolu_1", "alpha", {}),), stop_reason="tool_use")
    gateway.endpoint.script = sequence(call, say("done"))
    messages: Messages = as_messages("call")
    answer = await gateway.ask(messages, tools=TOOLS)
    await gateway.until_workers(parked=1)
    [parked] = await gateway.workers("parked")
    await gateway.kill(parked["pid"])
    messages = [*messages, answer.message.model_dump(exclude_none=True)]
    messages.append({"role": "tool", "tool_call_id": "toolu_1", "content": "r"})
    replayed = await gateway.ask(messages, tools=TOOLS)
    assert replayed.how in ("spare", "cold")
    assert replayed.text == "done"


async def test_a_busy_one_that_dies_before_its_first_token_is_tried_again(gateway: Running) -> None:
    never = trio.Event()
    gateway.endpoint.script = sequence(ScriptedReply(before=(Wait(never),)), say("second try"))
    said: list[str | None] = []

    async def one() -> None:
        said.append((await gateway.ask("Try twice.")).text)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        await arrived(gateway.endpoint, 1)
        [busy] = await gateway.workers("busy")
        await gateway.kill(busy["pid"])
    assert said == ["second try"]
    assert gateway.endpoint.count == 2


async def test_a_question_that_kills_every_process_is_given_up(gateway: Running) -> None:
    never = trio.Event()
    gateway.endpoint.script = lambda _: ScriptedReply(before=(Wait(never),))
    errors: list[Any] = []

    async def one() -> None:
        errors.append(await gateway.refused("Kill me."))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        for number in (1, 2):
            await arrived(gateway.endpoint, number)
            [busy] = await gateway.workers("busy")
            await gateway.kill(busy["pid"])
    [error] = errors
    assert (error.status_code, error.code) == (500, "claude_cli_failed")
    assert gateway.endpoint.count == 2
    gateway.endpoint.script = echo()
    assert (await gateway.ask("And now?")).text == "And now?"


@pytest.mark.parametrize("stream", [True, False], ids=["streaming", "whole"])
@pytest.mark.parametrize("begun", [True, False], ids=["in mid-answer", "before the first token"])
async def test_a_client_that_goes_away_frees_its_worker(gateway: Running, stream: bool, begun: bool) -> None:
    never = trio.Event()
    hold: tuple[Hold, ...] = (Wait(never),)
    gateway.endpoint.script = lambda _: (
        ScriptedReply((Text(("begun",)), *hold)) if begun else ScriptedReply(before=hold)
    )
    body = {"model": MODEL, "messages": as_messages("I leave."), "stream": stream}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gateway.post, body)
        request = await arrived(gateway.endpoint, 1)
        if begun:

            async def answers() -> bool:
                return bool((await gateway.status())["requests"]["active"] == 1)

            await gateway.until(answers)
        nursery.cancel_scope.cancel()
    left = time.monotonic()
    with trio.fail_after(FREED_SECONDS):
        await request.disconnected.wait()  # the upstream request was ended too
    await gateway.until_workers(FREED_SECONDS, busy=0)
    assert time.monotonic() - left < FREED_SECONDS
    assert (await gateway.status())["requests"]["active"] == 0
    assert gateway.endpoint.count == 1


async def test_a_client_that_stops_reading_holds_up_nobody(gateway: Running) -> None:
    flood = tuple("x" * 10_000 for _ in range(3_000))  # 30 MB: no pipe or socket on the way holds so much
    gateway.endpoint.script = lambda request: (
        ScriptedReply((Text(flood),)) if "Flood" in str(request.body) else say("quick")
    )
    body = {"model": MODEL, "messages": as_messages("Flood."), "stream": True}
    async with gateway.http.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.status_code == 200
        before = gateway.daemon.memory()
        for number in range(5):
            assert (await gateway.ask(f"Quick, {number}.")).text == "quick"
        assert len(await gateway.workers("busy")) == 1
        assert gateway.daemon.memory() - before < 50 * 1024 * 1024  # it is not gathered for the client
    await gateway.until_workers(FREED_SECONDS, busy=0)
