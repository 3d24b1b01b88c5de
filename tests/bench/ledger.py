"""The ledger against the upstream's own count: `python -m tests.bench.ledger --requests 10000`, from the root of the
source tree.

Random requests through the real CLI: whole and streamed ones, cut short, left by their clients, broken off by the
upstream, tried again. After each batch the ledger must say what the scripted endpoint counted, to the token. Then the
daemon is killed in the midst of more of them, and started again: of what was complete two seconds before nothing may be
missing. Exit status 1 and what differs otherwise. Before that, what booking a request costs in all.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
import trio

from claudegwd.demo.endpoint import ScriptedEndpoint
from claudegwd.demo.replies import last_user_text, say
from claudegwd.demo.script import Answer, Drop, RecordedRequest, ScriptedReply, ScriptedUsage, Text, Wait, overloaded
from tests.bench.booking import cost_of_booking
from tests.e2e.daemon_process import GOOD_KEY, Daemon
from tests.plain_http import control_client, http_client

MODEL: Final = "claude-sonnet-4-20250514"
CHAT: Final = "/v1/chat/completions"
SIDE_BY_SIDE: Final = 4
BATCH: Final = 100
BURST: Final = 40
# Written a second later, and flushed to a disk that others use as well.
WRITTEN_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 60.0

# How often each way is taken; those that wait for something are dear.
WAYS: Final = {"whole": 6, "streamed": 6, "short": 3, "left": 3, "broken": 2, "again": 1}

Count = tuple[int, int, int, int]
FIELDS: Final = ("prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens")


@dataclass
class Asked:
    """One request: what upstream will say to it, and when its client had all of that."""

    way: str
    usage: ScriptedUsage
    go_on: trio.Event = field(default_factory=trio.Event)
    tries: int = 0
    done_at: float | None = None

    def answer(self) -> Answer:
        self.tries += 1
        match self.way:
            case "again" if self.tries == 1:
                return overloaded()
            case "short":
                return ScriptedReply((Text(("a",)),), stop_reason="max_tokens", usage=self.usage)
            case "left":
                return ScriptedReply((Text(("a",)), Wait(self.go_on), Text(("b",))), usage=self.usage)
            case "broken":
                return ScriptedReply((Text(("a",)), Wait(self.go_on), Drop()), usage=self.usage)
        return say("a", "b", usage=self.usage)


@dataclass
class Figures:
    """What came of it."""

    requests: int = 0
    tokens: int = 0
    kills: int = 0
    lost: list[int] = field(default_factory=list)  # tokens at each kill: of what was not yet written
    problems: list[str] = field(default_factory=list)


class Comparison:
    """One daemon and its upstream."""

    def __init__(self, daemon: Daemon, endpoint: ScriptedEndpoint, dice: random.Random) -> None:
        self.figures = Figures()
        self._daemon = daemon
        self._endpoint = endpoint
        self._dice = dice
        self._asked: dict[str, Asked] = {}
        self._base = 0  # requests in the ledger that are not compared any more
        endpoint.script = self._script

    def _script(self, request: RecordedRequest) -> Answer:
        return self._asked[last_user_text(request)].answer()

    async def batch(self, count: int) -> None:
        """So many requests, and then the comparison."""
        async with self._client() as client:
            await self._ask(client, count)
        self._release()
        if await self._until_same():
            made = (await self._total())["requests"] - self._base
            if made != count:
                self.figures.problems.append(f"{count} requests were made, and {made} are in the ledger")
            self._base += count
        else:
            await self._begin_anew()
        self.figures.requests += count

    async def kill(self) -> None:
        """Kill the daemon in the midst of requests; what was complete for a while must be there afterwards."""
        before = _sum(await self._count())
        async with self._client() as client, trio.open_nursery() as nursery:
            nursery.start_soon(self._ask, client, BURST)
            await trio.sleep(self._dice.uniform(0.5, 5.0))
            killed_at = trio.current_time()
            await trio.to_thread.run_sync(self._daemon.kill)
            nursery.cancel_scope.cancel()
        self._release()
        with trio.fail_after(PATIENCE_SECONDS):
            while self._endpoint.connections:  # its processes are gone, and what was sent to them is counted
                await trio.sleep(0.05)
        await trio.to_thread.run_sync(self._daemon.start)
        found, told = _sum(await self._count()), _sum(self._told())
        old = [one for one in self._asked.values() if one.done_at and one.done_at < killed_at - WRITTEN_SECONDS]
        least = before + sum(_sum(_counted(one.usage)) for one in old)
        if not least <= found <= told:
            self.figures.problems.append(f"after kill -9 there are {found} tokens, not {least} to {told}")
        self.figures.kills += 1
        self.figures.lost.append(told - found)
        await self._begin_anew()

    async def _ask(self, client: httpx.AsyncClient, count: int) -> None:
        self._asked.clear()
        limiter = trio.CapacityLimiter(SIDE_BY_SIDE)
        async with trio.open_nursery() as nursery:
            for number in range(count):
                way = self._dice.choices(list(WAYS), list(WAYS.values()))[0]
                asked = Asked(way, ScriptedUsage(*(self._dice.randrange(1, 5000) for _ in range(4))))
                self._asked[f"question {number}"] = asked
                nursery.start_soon(self._one, client, f"question {number}", asked, limiter)

    async def _one(self, client: httpx.AsyncClient, text: str, asked: Asked, limiter: trio.CapacityLimiter) -> None:
        body: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": text}]}
        async with limiter:
            try:
                if asked.way in ("whole", "short", "again"):
                    response = await client.post(CHAT, json=body)
                    complete = response.status_code == 200
                    if not complete:
                        self.figures.problems.append(f"{asked.way}: {response.status_code} {response.text[:200]}")
                else:
                    complete = await _streamed(client, body | {"stream": True}, asked)
            except httpx.TransportError:
                return  # the daemon was killed
            if complete:
                asked.done_at = trio.current_time()

    def _release(self) -> None:
        # One that its client has left ends when the CLI hangs up: if it went on just then, nobody would read its end.
        for asked in self._asked.values():
            if asked.way != "left":
                asked.go_on.set()

    async def _until_same(self) -> bool:
        """Whether it comes to that: what nobody waited for is counted once the CLI has told of it."""
        with trio.move_on_after(PATIENCE_SECONDS):
            while (found := await self._count()) != self._told():
                await trio.sleep(0.1)
            self.figures.tokens = _sum(found)
            return True
        self.figures.problems.append(f"the ledger says {found}, upstream {self._told()}")
        return False

    async def _begin_anew(self) -> None:
        """From now on upstream's count is what the ledger says."""
        prompt, completion, cached, written = await self._count()
        self._endpoint.told.clear()
        self._endpoint.told.update(
            input_tokens=prompt - cached - written, output_tokens=completion,
            cache_read_input_tokens=cached, cache_creation_input_tokens=written,
        )  # fmt: skip
        self._base = (await self._total())["requests"]

    def _told(self) -> Count:
        told = self._endpoint.told
        cached, written = told["cache_read_input_tokens"], told["cache_creation_input_tokens"]
        return told["input_tokens"] + cached + written, told["output_tokens"], cached, written

    async def _count(self) -> Count:
        total = await self._total()
        prompt, completion, cached, written = (total[name] for name in FIELDS)
        return prompt, completion, cached, written

    async def _total(self) -> dict[str, Any]:
        async with control_client(self._daemon.socket) as client:
            total: dict[str, Any] = (await client.get("/v1/usage?by=")).json()["total"]
            return total

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        base_url = f"http://127.0.0.1:{self._daemon.port}"
        async with http_client(base_url, timeout=PATIENCE_SECONDS) as client:
            yield client


async def _streamed(client: httpx.AsyncClient, body: dict[str, Any], asked: Asked) -> bool:
    """Read it as its way says; whether it came whole."""
    async with client.stream("POST", CHAT, json=body) as response:
        async for line in response.aiter_lines():
            if '"content":"a"' in line:
                if asked.way == "left":
                    return False
                asked.go_on.set()
    return asked.way == "streamed"


def _counted(usage: ScriptedUsage) -> Count:
    cached, written = usage.cache_read, usage.cache_creation
    return usage.input_tokens + cached + written, usage.output_tokens, cached, written


def _sum(count: Count) -> int:
    return count[0] + count[1]


async def compare(requests: int, kills: int, seed: int) -> Figures:
    """Make so many requests with so many kills between them."""
    dice = random.Random(seed)
    batches = max(kills, -(-requests // BATCH))
    async with trio.open_nursery() as nursery:
        endpoint = ScriptedEndpoint(lambda _: say("ok"))
        daemon = Daemon(await nursery.start(endpoint.serve), (GOOD_KEY,))
        try:
            await trio.to_thread.run_sync(daemon.start)
            comparison = Comparison(daemon, endpoint, dice)
            for number in range(batches):
                await comparison.batch(requests * (number + 1) // batches - requests * number // batches)
                if kills * (number + 1) // batches > kills * number // batches:
                    await comparison.kill()
                sys.stderr.write(f"\r{comparison.figures.requests} requests, {comparison.figures.kills} kills ")
            await trio.to_thread.run_sync(daemon.stop)
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(daemon.remove)
        nursery.cancel_scope.cancel()
    return comparison.figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ledger", description=__doc__.split("\n\n")[0])
    parser.add_argument("--requests", type=int, default=10_000, help="how many (default 10000)")
    parser.add_argument("--kills", type=int, default=20, help="how often the daemon is killed meanwhile (default 20)")
    parser.add_argument("--seed", type=int, default=1, help="of what is random (default 1)")
    arguments = parser.parse_args()
    with TemporaryDirectory() as directory:
        cost = trio.run(cost_of_booking, Path(directory))
    print(
        f"booking a request: {cost.request * 1e6:.1f} us of the event loop, {cost.row * 1e6:.1f} us behind it for a row"
    )
    began = time.monotonic()
    figures = trio.run(compare, arguments.requests, arguments.kills, arguments.seed)
    print(f"\n{figures.requests} requests, {figures.tokens} tokens, {time.monotonic() - began:.0f} s")
    print(f"{figures.kills} kills; tokens lost at each: {figures.lost}")
    for problem in figures.problems:
        print(f"PROBLEM: {problem}")
    return 1 if figures.problems else 0


if __name__ == "__main__":
    sys.exit(main())
