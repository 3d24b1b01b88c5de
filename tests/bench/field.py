"""The field of the real CLI: an endpoint and three gateways, and what is said to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import trio

from tests.bench.client import Answer, Client
from tests.bench.measures import Report
from tests.bench.programs import Gateway, gateway, upstream

# A model that thinks only when asked: the endpoint's answers hold no thinking either.
MODEL = "sonnet"
HISTORIES = (2, 20, 200, 800)
# Closed loops that keep two cores busy with CLI work; the CLI's own ceiling was found with two to eight.
LOOPS = 8
# Questions to a process before what is warm is measured: the CLI's runtime compiles as it goes, and a question costs
# about twice as much among the first hundred as after some three hundred.
WARM_UP = 150
# Questions before a round counts: while the others were measured, a pool at its maximum has replaced the worker that
# was idle longest by a spare.
LEAD_IN = 20

_serial = count(1)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: samples of a latency, seconds of a throughput."""

    samples: int
    seconds: float


@dataclass(slots=True)
class Field:
    """What all scenarios share."""

    cli: Path
    base_url: str
    gateway: Gateway  # as by default
    small: Gateway  # at most two workers
    cold: Gateway  # without spares
    report: Report
    scale: Scale


@asynccontextmanager
async def field(cli: Path, report: Report, scale: Scale) -> AsyncIterator[Field]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(upstream())
        usual = await stack.enter_async_context(gateway(cli, base_url=url))
        small = await stack.enter_async_context(gateway(cli, base_url=url, workers="max = 2"))
        cold = await stack.enter_async_context(gateway(cli, base_url=url, workers="spares = 0"))
        for server in (usual, small, cold):
            await one(server, [question()])  # everything has been imported and opened once
        yield Field(cli, url, usual, small, cold, report, scale)


def question() -> dict[str, Any]:
    """A user message that no conversation has seen before."""
    return {"role": "user", "content": f"Question {next(_serial)}?"}


def unseen_prompt() -> dict[str, Any]:
    """A system prompt that no process was started with: a new one is needed."""
    return {"role": "system", "content": f"Prompt {next(_serial)}."}


def exchange(messages: list[dict[str, Any]], answer: str) -> list[dict[str, Any]]:
    """The conversation one turn later."""
    return [*messages, {"role": "assistant", "content": answer}, question()]


def history(messages: int) -> list[dict[str, Any]]:
    """A conversation of so many messages, the last of them a question."""
    past: list[dict[str, Any]] = [question()]
    while len(past) < messages:
        past = exchange(past, "An earlier answer.")
    return past


async def one(server: Gateway, messages: list[dict[str, Any]]) -> Answer:
    """One request on a connection of its own."""
    client = await Client.tcp(server.port)
    try:
        answer = await client.chat(messages, model=MODEL)
    finally:
        await client.aclose()
    if not answer.complete:
        raise RuntimeError(f"cannot go on: the gateway answered {answer.status} {answer.body[:300]!r}")
    return answer


async def closed_loops(step: Callable[[int], Awaitable[None]], seconds: float) -> float:
    """Run the step in LOOPS closed loops for about so long; completed steps a second, of every loop its own."""
    rates: list[float] = []
    began = trio.current_time()

    async def loop(number: int) -> None:
        done = 0
        while trio.current_time() < began + seconds:
            await step(number)
            done += 1
        rates.append(done / (trio.current_time() - began))

    async with trio.open_nursery() as nursery:
        for number in range(LOOPS):
            nursery.start_soon(loop, number)
    return sum(rates)


async def warmed_up(step: Callable[[int], Awaitable[None]], times: int = WARM_UP) -> None:
    """Run the step in LOOPS loops, so often each."""

    async def loop(number: int) -> None:
        for _ in range(times):
            await step(number)

    async with trio.open_nursery() as nursery:
        for number in range(LOOPS):
            nursery.start_soon(loop, number)


async def wait_until_idle(until: Callable[[bytes], Awaitable[bytes]]) -> None:
    """The CLI writes its first line when it has started; its last work of starting is over soon after."""
    await until(b'"ui_invalidate"')
    await trio.sleep(0.3)
