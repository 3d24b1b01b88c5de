"""A fleet under its faults: `python -m tests.bench.fleet`, from the root of the source tree; some four minutes.

Three daemons, the real HAProxy with our configuration, a real Valkey or Redis: 1,000 conversations go on while a daemon
is killed and another one is drained and started anew, while the store is stopped for ten seconds, paused, and started
anew empty. Exit status 1 if an answer was lost that had not begun, a limit or a budget did not hold while the store was
there, a client key was not known everywhere, or the dead upstream key was asked again. Then the throughput of three
machines' workers is held against that of one daemon with all of them. The CLI is the fake one; with `--real` it is the
real one against the scripted upstream, whose answers take longer, as the processor is to have time for them.
`SHARED_SERVER=/path/to/valkey-server` names another store than the one that is installed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from signal import SIGTERM
from statistics import median, quantiles
from typing import Any

import httpx
import trio

from tests.bench.fleet_machines import AT_ONCE, PATIENCE_SECONDS, WORKERS, Fleet, fleet
from tests.e2e.daemon_process import Daemon
from tests.e2e.haproxy_process import SERVERS

TURNS = 4
RETRIES = 2  # as the official clients do
BACKOFF_SECONDS = 0.5
BUDGET = 3000  # tokens a day, of another
THROUGHPUT_SECONDS = 15.0
ROUNDS = 3
ASKING = 12  # requests at once of the client with a limit: more than the limit grants while they wait for workers
WITHIN = 0.10


@dataclass(frozen=True)
class Pace:
    """`answer`: the seconds from a question to its answer. `scarce`: so many that workers are scarce, and not the
    processor. `limit`: requests a minute of one client, fewer than it can ask beside all the others."""

    conversations: int
    answer: float
    scarce: float
    limit: int
    real: bool = False


FAKE = Pace(1000, 0.3, 1.0, 60)
REAL = Pace(250, 1.0, 2.0, 12, real=True)
PHASES = (
    "quiet", "a machine is killed", "a machine is drained and started anew", "the store is stopped",
    "the store is back, empty", "the store is paused", "the store goes on", "the store is started anew, empty",
)  # fmt: skip


@dataclass
class Tally:
    """What became of the requests. `firsts`: seconds to the first token, by what was going on."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    firsts: dict[str, list[float]] = field(default_factory=dict)
    phase: str = "quiet"
    ended: int = 0

    def check(self, holds: object, what: str) -> None:
        print(f"{'ok   ' if holds else 'WRONG'} {what}", flush=True)
        if not holds:
            self.faults.append(what)


async def ask(fleet: Fleet, client: httpx.AsyncClient, name: str, messages: list[dict[str, str]], tally: Tally) -> str:
    """One try: "ok", "refused" (the answer had not begun), "broken" (it had)."""
    body = {"model": fleet.model, "messages": messages, "stream": True}
    began, phase, text, done = time.monotonic(), tally.phase, "", False
    try:
        async with client.stream(
            "POST", "/v1/chat/completions", json=body, headers={"x-session-affinity": name}
        ) as answer:
            if answer.status_code != 200:
                tally.counts[f"answered {answer.status_code}"] += 1
                return "refused"
            async for said in deltas(answer):
                if not text:
                    tally.firsts.setdefault(phase, []).append(time.monotonic() - began)
                text += said or ""
                done = said is None
    except httpx.HTTPError:
        pass
    if done and text == messages[-1]["content"]:
        return "ok"
    return "broken" if text else "refused"


async def deltas(answer: httpx.Response) -> AsyncIterator[str | None]:
    """The pieces of the text, and None at the end."""
    async for line in answer.aiter_lines():
        if line == "data: [DONE]":
            yield None
        elif line.startswith("data: {"):
            said = json.loads(line.removeprefix("data: "))
            for choice in said.get("choices", ()):
                if piece := choice["delta"].get("content"):
                    yield piece


async def converse(fleet: Fleet, client: httpx.AsyncClient, name: str, tally: Tally) -> None:
    messages: list[dict[str, str]] = []
    for turn in range(TURNS):
        question = f"echo {name}, turn {turn}."
        messages.append({"role": "user", "content": question})
        for attempt in range(RETRIES + 1):
            became = await ask(fleet, client, name, messages, tally)
            if became != "refused":
                break
            tally.counts["asked again"] += 1
            await trio.sleep(BACKOFF_SECONDS * 2**attempt)
        tally.counts["lost" if became == "refused" else became] += 1
        messages.append({"role": "assistant", "content": question})
    tally.ended += 1


async def conversations(fleet: Fleet, count: int, tally: Tally) -> None:
    names = iter([f"conversation-{number}" for number in range(count)])

    async def person() -> None:
        async with fleet.client() as client:
            for name in names:
                await converse(fleet, client, name, tally)

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(person)


async def troubles(fleet: Fleet, limit: int, tally: Tally) -> None:
    """Each fault, and some seconds in which it shows."""
    first, second, _ = fleet.daemons
    in_thread = trio.to_thread.run_sync
    await trio.sleep(8)
    await limits_hold(fleet, limit, tally, troubles_of_machines(fleet, tally, first, second))
    tally.phase = "the store is stopped"
    await in_thread(fleet.store.stop)
    await trio.sleep(10)
    await in_thread(fleet.store.start)
    tally.phase = "the store is back, empty"
    await trio.sleep(6)
    tally.phase = "the store is paused"
    fleet.store.pause()
    await trio.sleep(6)
    fleet.store.go_on()
    tally.phase = "the store goes on"
    await trio.sleep(6)
    tally.phase = "the store is started anew, empty"
    await in_thread(fleet.store.stop)
    await in_thread(fleet.store.start)
    await trio.sleep(6)
    tally.phase = "quiet again"


async def troubles_of_machines(fleet: Fleet, tally: Tally, first: Daemon, second: Daemon) -> None:
    in_thread = trio.to_thread.run_sync
    tally.phase = "a machine is killed"
    await in_thread(second.kill)
    await trio.sleep(4)
    await in_thread(second.start)
    await fleet.until(lambda: set(fleet.proxy.states().values()) == {"UP"})
    tally.phase = "a machine is drained and started anew"
    await fleet.control(first, "POST", "/v1/drain")
    await fleet.until(lambda: fleet.proxy.states()[SERVERS[0]] != "UP")
    first.signal(SIGTERM)
    assert first.process is not None
    assert await in_thread(first.process.wait) == 0
    await in_thread(first.start)
    await fleet.until(lambda: set(fleet.proxy.states().values()) == {"UP"})


async def limits_hold(fleet: Fleet, limit: int, tally: Tally, meanwhile: Any) -> None:
    """As fast as it may and faster, on all machines, while those have their troubles and the store is there."""
    key = (
        await fleet.control(fleet.daemons[2], "POST", "/v1/clients", {"name": "limited", "requests_per_minute": limit})
    )["key"]
    await known_everywhere(fleet, key)
    passed, unknown, under_way, began = 0, 0, 0, time.monotonic()

    async def hammer(client: httpx.AsyncClient) -> None:
        nonlocal passed, unknown, under_way
        while True:
            body = {"model": fleet.model, "messages": [{"role": "user", "content": "echo Hello."}]}
            under_way += 1  # for good, if it is cancelled
            try:
                answer = await client.post(
                    "/v1/chat/completions", json=body, headers={"x-session-affinity": str(random.random())}
                )
            except httpx.HTTPError:
                unknown += 1
                under_way -= 1
                continue
            under_way -= 1
            passed += answer.status_code == 200
            unknown += answer.status_code not in (200, 429)
            await trio.sleep(0.05)

    async with fleet.client(key) as client, trio.open_nursery() as nursery:
        for _ in range(ASKING):
            nursery.start_soon(hammer, client)
        await meanwhile
        nursery.cancel_scope.cancel()
    seconds = time.monotonic() - began
    granted = limit + seconds * limit / 60
    # Those of the killed machine were counted and not answered.
    tally.check(
        granted - 1 - unknown - under_way <= passed <= granted + 1,
        f"a limit of {limit} requests a minute: {passed} passed in {seconds:.1f} s ({granted:.1f} granted), "
        f"{unknown} broke off, {under_way} under way at the end",
    )


async def known_everywhere(fleet: Fleet, key: str) -> float:
    """Until each machine takes it; how long that took."""
    return await answered_everywhere(fleet, key, 200, trio.lowlevel.checkpoint)


async def answered_everywhere(fleet: Fleet, key: str, status: int, do: Callable[[], Awaitable[object]]) -> float:
    """`do` something, and wait until each machine answers this client with that status; how long that took."""
    headers = {"authorization": f"Bearer {key}"}

    async def until(client: httpx.AsyncClient, daemon: Daemon) -> None:
        while (await client.get(f"http://127.0.0.1:{daemon.port}/v1/models")).status_code != status:
            await trio.sleep(0.005)

    # One client before the clock is started: making it takes longer than what is measured.
    async with httpx.AsyncClient(headers=headers, timeout=PATIENCE_SECONDS) as client:
        began = time.monotonic()
        await do()
        with trio.fail_after(PATIENCE_SECONDS):
            async with trio.open_nursery() as nursery:
                for daemon in fleet.daemons:
                    nursery.start_soon(until, client, daemon)
        return time.monotonic() - began


async def budget_holds(fleet: Fleet, tally: Tally) -> None:
    made = {"name": "frugal", "budget": f"{BUDGET}tokens/day"}
    key = (await fleet.control(fleet.daemons[0], "POST", "/v1/clients", made))["key"]
    took = await known_everywhere(fleet, key)
    tally.check(took < 1.0, f"a new client key is known to all machines after {took * 1000:.0f} ms")

    async def spend(daemon: Daemon) -> None:
        url = f"http://127.0.0.1:{daemon.port}/v1/chat/completions"
        asked = [{"role": "user", "content": "echo " + "Hello. " * 20}]
        body = {"model": fleet.model, "messages": asked, "max_tokens": 100}
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, headers={"authorization": f"Bearer {key}"}) as client:
            while (await client.post(url, json=body)).json().get("error", {}).get("code") != "insufficient_quota":
                await trio.sleep(0.02)

    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            for daemon in fleet.daemons * 2:
                nursery.start_soon(spend, daemon)
    rows = [(await fleet.control(daemon, "GET", "/v1/clients"))["clients"] for daemon in fleet.daemons]
    used = [next(row for row in each if row["name"] == "frugal")["budgets"][0]["used"] for each in rows]
    tally.check(
        BUDGET <= max(used) < 1.1 * BUDGET and min(used) == max(used),
        f"a budget of {BUDGET} tokens: {max(used):.0f} used, and each machine says so",
    )


async def revoked_everywhere(fleet: Fleet, tally: Tally) -> None:
    key = (await fleet.control(fleet.daemons[0], "POST", "/v1/clients", {"name": "gone"}))["key"]
    await known_everywhere(fleet, key)
    took = await answered_everywhere(
        fleet, key, 401, lambda: fleet.control(fleet.daemons[1], "DELETE", "/v1/clients/gone")
    )
    tally.check(took < 1.0, f"a revoked client key is refused by all machines after {took * 1000:.0f} ms")


async def under_faults(pace: Pace) -> Tally:
    tally = Tally()
    with fleet(len(SERVERS), pace.answer, real=pace.real) as made:
        first = await ask_once(made)
        tally.check(first == "ok" and await made.dead_asked() == 1, "one request has found the dead key")
        await budget_holds(made, tally)
        began = time.monotonic()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(troubles, made, pace.limit, tally)
            await conversations(made, pace.conversations, tally)
        seconds = time.monotonic() - began
        await revoked_everywhere(made, tally)
        asked = await made.dead_asked()
    print(f"{tally.ended} conversations of {TURNS} turns in {seconds:.0f} s: {dict(tally.counts)}")
    for phase, firsts in tally.firsts.items():
        late = quantiles(firsts, n=100)[98] if len(firsts) > 1 else firsts[0]
        print(f"  {phase}: {len(firsts)} answers, first token {median(firsts):.3f} s (99 %: {late:.3f} s)")
    whole = tally.ended == pace.conversations and not tally.counts["lost"]
    tally.check(whole, "no answer that had not begun was lost")
    missing = [phase for phase in PHASES if phase not in tally.firsts]
    tally.check(not missing, f"answers began in every phase (not in: {missing or 'none'})")
    tally.check(asked == 1, f"the dead upstream key was asked {asked} time(s) by all machines")
    return tally


async def ask_once(made: Fleet) -> str:
    async with made.client() as client:
        return await ask(made, client, "first", [{"role": "user", "content": "echo Hello."}], Tally())


async def throughput(count: int, pace: Pace) -> float:
    """Answers a second, with all workers busy."""
    tally = Tally()
    with fleet(count, pace.scarce, real=pace.real) as made:
        await ask_once(made)
        with trio.move_on_after(THROUGHPUT_SECONDS):
            await conversations(made, 10_000, tally)
    return tally.counts["ok"] / THROUGHPUT_SECONDS


async def main(pace: Pace) -> int:
    """Without conversations: the throughput alone."""
    tally = await under_faults(pace) if pace.conversations else Tally()
    three, one = [], []
    for _ in range(ROUNDS):
        three.append(await throughput(len(SERVERS), pace))
        one.append(await throughput(1, pace))
    ratio = median(three) / median(one)
    tally.check(
        ratio >= 1 - WITHIN,
        f"answers a second with {WORKERS * len(SERVERS)} workers: {median(three):.1f} on three machines, "
        f"{median(one):.1f} on one (rounds: {[round(rate, 1) for rate in three + one]})",
    )
    return 1 if tally.faults else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", action="store_true", help="with the real CLI")
    parser.add_argument("--conversations", type=int, help=f"{FAKE.conversations}, or {REAL.conversations} with --real")
    given = parser.parse_args()
    chosen = REAL if given.real else FAKE
    count = chosen.conversations if given.conversations is None else given.conversations
    sys.exit(trio.run(main, replace(chosen, conversations=count)))
