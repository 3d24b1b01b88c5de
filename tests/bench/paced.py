"""Many streams at the pace of a model: what the gateway adds to each event."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise

import trio

from tests.bench.client import Answer
from tests.bench.direct import Turn, direct_cli
from tests.bench.fake_field import PACED, Bench, Talker

STREAMS = 32
PACED_SECONDS = 2.0  # the length of one such answer; the streams begin evenly spread over it
PACED_TURNS = 2
PACED_ROUNDS = 2


@dataclass(slots=True)
class Paced:
    """Of all streams: first tokens, how long events were under way, how far gaps were off. Seconds."""

    first: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    off: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)  # the share of a core that the daemon took
    waited: list[float] = field(default_factory=list)  # the share of the time that it waited for one

    def add(self, first: float, arrivals: list[tuple[int, int]]) -> None:
        """`arrivals`: when each delta came and when it was written, in nanoseconds."""
        self.first.append(first)
        self.late += [(came - written) / 1e9 for came, written in arrivals]
        steps = pairwise(arrivals)
        self.off += [abs((b[0] - a[0]) - (b[1] - a[1])) / 1e9 for a, b in steps]


async def paced_streams(bench: Bench) -> None:
    """Many streams at the pace of a model, always so many. Each delta holds the moment at which the CLI wrote it."""
    direct, through = Paced(), Paced()
    for _ in range(PACED_ROUNDS):
        await _paced_directly(bench, direct)
        await _paced_through(bench, through)
    bench.note_rss(f"after {STREAMS} streams")
    section = f"Own cost: {STREAMS} streams, an event every 20 ms in each"
    named = (("fake CLIs alone", direct), ("gateway", through))
    first = [bench.report.durations(section, f"{name}: first token", paced.first) for name, paced in named]
    late = [bench.report.durations(section, f"{name}: event under way", paced.late) for name, paced in named]
    gaps = [bench.report.durations(section, f"{name}: gap off by", paced.off) for name, paced in named]
    busy = sum(through.busy) / len(through.busy) * 100
    waited = sum(through.waited) / len(through.waited) * 100
    bench.report.figure(section, "share of a core that the daemon took", busy, "%")
    bench.report.figure(section, "share of the time that it waited for one", waited, "%", "above 5 %: a busy machine")
    bench.report.figure(section, "added to an event, median", (late[1].median - late[0].median) * 1000, "ms")
    bench.report.target("added first token, p99", (first[1].p99 - first[0].p99) * 1000, 5, "ms")
    bench.report.target("added event gap, p99", (gaps[1].p99 - gaps[0].p99) * 1000, 1, "ms")


async def _paced_directly(bench: Bench, found: Paced) -> None:
    async with AsyncExitStack() as stack:
        clis = []
        for _ in range(STREAMS):
            cli = await stack.enter_async_context(direct_cli(bench.cli, base_url=None, model=PACED))
            await cli.prepare()
            clis.append(cli)
        turns: list[Turn] = []

        async def ask(number: int) -> None:
            await trio.sleep(number * PACED_SECONDS / STREAMS)
            for _ in range(PACED_TURNS):
                turn = await clis[number].ask("Question?")
                turns.append(turn)

        async with trio.open_nursery() as nursery:
            for number in range(STREAMS):
                nursery.start_soon(ask, number)
    for turn in turns:
        found.add(turn.first_token, [(at, _stamp(line)) for at, line in turn.deltas])


def _stamp(line: bytes) -> int:
    return int(line.split(b'"text":"', 1)[1].split(b" ", 1)[0])


async def _paced_through(bench: Bench, found: Paced) -> None:
    clients = [await bench.gateway.client() for _ in range(STREAMS)]
    answers: list[Answer] = []
    # Everyone has a worker before the first stream begins.
    talkers = [Talker(client, PACED) for client in clients]
    async with trio.open_nursery() as nursery:
        for talker in talkers:
            nursery.start_soon(talker.turn)

    async def ask(number: int) -> None:
        await trio.sleep(number * PACED_SECONDS / STREAMS)
        for _ in range(PACED_TURNS):
            answer = await talkers[number].turn()
            answers.append(answer)

    cpu, waited, began = bench.gateway.cpu(), bench.gateway.waited(), trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(STREAMS):
            nursery.start_soon(ask, number)
    passed = trio.current_time() - began
    found.busy.append((bench.gateway.cpu() - cpu) / passed)
    found.waited.append((bench.gateway.waited() - waited) / passed)
    for client in clients:
        await client.aclose()
    for answer in answers:
        if answer.how == "continued":
            stamps = [(at, int(part)) for at, text in answer.deltas() for part in text.split()]
            found.add(answer.first_token, stamps)
