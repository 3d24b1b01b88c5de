"""The gateway's own cost: over a fake CLI that answers by itself in a fraction of a millisecond."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import trio

from tests.bench.client import Answer, Client
from tests.bench.direct import Turn, direct_cli
from tests.bench.measures import Report
from tests.bench.programs import Gateway, gateway
from tests.bench.real import HISTORIES, Scale, exchange, history
from tests.fake_binary import write_fake_cli

SHORT = "fake-deltas-1"
USUAL = "fake-deltas-20"
LONG = "fake-deltas-420"
PACED = "fake-deltas-100-gap-20-stamp-1"
PACED_SECONDS = 2.0  # the length of one such answer; the streams begin evenly spread over it
PACED_TURNS = 2
PACED_ROUNDS = 2
STREAMS = 32
CLIENTS = (1, 8, 32, 128)
# A conversation is left after so many turns, so that its length does not become what is measured.
TURNS = 10
# The daemon's memory after this many requests is the level that it must come back to.
WARM_REQUESTS = 1000


@dataclass(slots=True)
class Bench:
    cli: Path
    gateway: Gateway
    report: Report
    scale: Scale
    requests: int  # for the memory scenario
    rss: dict[str, float] = field(default_factory=dict)

    def note_rss(self, when: str) -> float:
        rss = self.gateway.rss() / 1e6
        self.rss[when] = rss
        return self.report.figure("Memory of the daemon, without its children", when, rss, "MB")


@asynccontextmanager
async def bench(report: Report, scale: Scale, requests: int) -> AsyncIterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="claudegwd-bench-") as scratch:
        cli = write_fake_cli(Path(scratch))
        models = (SHORT, USUAL, LONG, PACED)
        # One worker for each client, so that admission is not what is measured.
        workers = f"max = {max(CLIENTS)}\nrecycle = true"
        async with gateway(cli, models=models, workers=workers) as started:
            report.target("daemon ready", started.ready_seconds, 1, "s")
            yield Bench(cli, started, report, scale, requests)


class Talker:
    """A client in a conversation, which it leaves after TURNS turns."""

    def __init__(self, client: Client, model: str, start: int = 1) -> None:
        self.client = client
        self.model = model
        self._start = start
        self._turns = 0
        self._messages = history(start)

    async def turn(self, *, stream: bool = True) -> Answer:
        answer = await self.client.chat(self._messages, model=self.model, stream=stream)
        if not answer.complete:
            raise RuntimeError(f"cannot go on: the gateway answered {answer.status} {answer.body[:300]!r}")
        self._turns += 1
        over = self._turns % TURNS == 0
        self._messages = history(self._start) if over else exchange(self._messages, answer.text)
        return answer


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
    await _answer(bench, WARM_REQUESTS)
    before = bench.note_rss(f"after {WARM_REQUESTS} short requests")
    await _answer(bench, bench.requests)
    after = bench.note_rss(f"after {bench.requests} more")
    bench.report.target("memory of the daemon", max(bench.rss.values()), 90, "MB")
    bench.report.target(f"memory growth over {bench.requests} requests", (after / before - 1) * 100, 10, "%")


async def _answer(bench: Bench, requests: int) -> None:
    left = requests

    async def loop() -> None:
        nonlocal left
        client = await bench.gateway.client()
        talker = Talker(client, SHORT)
        while left > 0:
            left -= 1
            await talker.turn(stream=left % 2 == 0)
        await client.aclose()

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(loop)


SCENARIOS: dict[str, Callable[[Bench], Awaitable[None]]] = {
    "one-at-a-time": one_at_a_time,
    "cpu": processor_time,
    "paced": paced_streams,
    "clients": many_clients,
    "memory": memory,
}
