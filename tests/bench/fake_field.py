"""The field of the fake CLI: one gateway over it, and clients that talk for a while."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.client import Answer, Client
from tests.bench.field import Scale, exchange, history
from tests.bench.measures import Report
from tests.bench.programs import Gateway, gateway
from tests.fake_binary import write_fake_cli

SHORT = "fake-deltas-1"
USUAL = "fake-deltas-20"
LONG = "fake-deltas-420"
PACED = "fake-deltas-100-gap-20-stamp-1"
CLIENTS = (1, 8, 32, 128)
# A conversation is left after so many turns, so that its length does not become what is measured.
TURNS = 10


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
        workers = f"max = {max(CLIENTS)}\n"
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
