"""The gateway's own cost: over a fake CLI that answers by itself in a fraction of a millisecond."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from tests.bench.direct import direct_cli
from tests.bench.fake_field import CLIENTS, LONG, PACED, SHORT, TURNS, USUAL, Bench, Talker
from tests.bench.field import HISTORIES
from tests.bench.paced import paced_streams

# The daemon's memory after this many requests is the level that it must come back to.
WARM_REQUESTS = 1000
CLIENTS_AT_ONCE = 8


async def one_at_a_time(bench: Bench) -> None:
    """Whole answers, one after the other: the CLI alone and behind the gateway."""
    section = "Own cost: whole answers, one at a time"
    for size in HISTORIES:
        direct: list[float] = []
        through: list[float] = []
        async with direct_cli(bench.cli, base_url=None, model=USUAL) as cli:
            await cli.prepare()
            client = await bench.gateway.client()
            talker = Talker(client, USUAL, start=size - 1)
            for _ in range(bench.scale.samples * 10):
                direct.append((await cli.ask("Question?")).total)
                answer = await talker.turn(stream=False)
                if answer.how == "continued":
                    through.append(answer.total)
            await client.aclose()
        alone = bench.report.durations(section, f"fake CLI alone, from {size} messages", direct)
        behind = bench.report.durations(section, f"gateway, continued, from {size} messages", through)
        if size == HISTORIES[0]:
            bench.report.target("added, median", (behind.median - alone.median) * 1000, 3, "ms")
            bench.report.target("added, p99", (behind.p99 - alone.p99) * 1000, 8, "ms")


async def processor_time(bench: Bench) -> None:
    """CPU time of the daemon for a request, and for each streamed event."""
    section = "Own cost: CPU time of the daemon"
    number = bench.scale.samples * 20
    whole = await _cpu(bench, SHORT, number, stream=False)
    short = await _cpu(bench, SHORT, number, stream=True)
    long = await _cpu(bench, LONG, number // 4, stream=True)
    event = (long - short) / (420 - 1)
    bench.report.figure(section, "a whole answer", whole * 1e3, "ms")
    bench.report.figure(section, "a streamed answer of one delta", short * 1e3, "ms")
    bench.report.figure(section, "each further streamed event", event * 1e6, "µs")
    bench.report.target("CPU of a request", whole * 1e3, 2, "ms")
    bench.report.target("CPU of a streamed event", event * 1e6, 100, "µs")


async def _cpu(bench: Bench, model: str, number: int, *, stream: bool) -> float:
    """CPU seconds for each of so many continued requests, eight clients at once."""
    loops = 8
    clients = [await bench.gateway.client() for _ in range(loops)]
    talkers = [Talker(client, model) for client in clients]
    before = 0.0

    async def talk(talker: Talker, turns: int) -> None:
        for _ in range(turns):
            await talker.turn(stream=stream)

    for turns in (TURNS, number // loops):  # the first round brings the workers
        before = bench.gateway.cpu()
        async with trio.open_nursery() as nursery:
            for talker in talkers:
                nursery.start_soon(talk, talker, turns)
    spent = bench.gateway.cpu() - before
    for client in clients:
        await client.aclose()
    return spent / (number // loops * loops)


async def many_clients(bench: Bench) -> None:
    """Closed loops of growing number, short conversations."""
    section = "Own cost: clients at once, 20 deltas each"
    for number in CLIENTS:
        taken: list[float] = []
        end = trio.current_time() + bench.scale.seconds

        async def loop(taken: list[float] = taken, end: float = end) -> None:
            client = await bench.gateway.client()
            talker = Talker(client, USUAL)
            while trio.current_time() < end:
                taken.append((await talker.turn()).total)
            await client.aclose()

        async with trio.open_nursery() as nursery:
            for _ in range(number):
                nursery.start_soon(loop)
        rate = len(taken) / bench.scale.seconds
        bench.report.durations(section, f"{number} clients: whole answer", taken, f"{rate:.0f} requests/s")
    bench.note_rss(f"after {max(CLIENTS)} clients")


async def memory(bench: Bench) -> None:
    """The daemon's memory after a warm-up and after many requests more."""
    # A worker and its conversation cost it some 0.15 MB for as long as they are kept. Slow answers, one for each worker
    # there may be, bring all of them about, so that their number is the same before and after.
    await _answer(bench, PACED, max(CLIENTS), max(CLIENTS))
    await _answer(bench, SHORT, WARM_REQUESTS, CLIENTS_AT_ONCE)
    before = bench.note_rss(f"after {WARM_REQUESTS} short requests")
    await _answer(bench, SHORT, bench.requests, CLIENTS_AT_ONCE)
    after = bench.note_rss(f"after {bench.requests} more")
    bench.report.target("memory of the daemon", max(bench.rss.values()), 90, "MB")
    bench.report.target(f"memory growth over {bench.requests} requests", (after / before - 1) * 100, 10, "%")


async def _answer(bench: Bench, model: str, requests: int, clients: int) -> None:
    left = requests

    async def loop() -> None:
        nonlocal left
        client = await bench.gateway.client()
        talker = Talker(client, model)
        while left > 0:
            left -= 1
            await talker.turn(stream=left % 2 == 0)
        await client.aclose()

    async with trio.open_nursery() as nursery:
        for _ in range(clients):
            nursery.start_soon(loop)


SCENARIOS: dict[str, Callable[[Bench], Awaitable[None]]] = {
    "one-at-a-time": one_at_a_time,
    "cpu": processor_time,
    "paced": paced_streams,
    "clients": many_clients,
    "memory": memory,
}
