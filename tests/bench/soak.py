"""The soak: `python -m tests.bench.soak --minutes 60`, from the root of the source tree.

Clients that converse, vanish and abandon; CLI processes that are killed, crash and talk nonsense; keys that are
rotated, refused and replaced. At the end every request must have been answered or refused properly, and nothing may be
left over: no process, no descriptor, no memory. Exit status 1 and a list otherwise. The CLI is the fake one, which is
what makes thousands of turns a minute and these faults possible.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import trio

from tests.bench.programs import Gateway, RefusedError, gateway, write_keys
from tests.bench.visitors import MODELS, Tally, Visitor
from tests.fake_binary import write_fake_cli

VISITORS = 12
WARM_SECONDS = 15.0
# Idle and abandoned workers have gone after this.
PATIENCE = 'idle_seconds = 3\nparked_seconds = 3\nmax = 12\ncarrier = "{carrier}"'
# What may differ from the level after the warm-up: allocator noise, and descriptors of what is cached once.
MEMORY_GROWTH = 1.15
DESCRIPTOR_GROWTH = 4
# Connections may be kept for their keep-alive time; below so many descriptors none is left to wait for.
LINGER_SECONDS = 75.0
REST_SECONDS = 30.0
QUIET_DESCRIPTORS = 25
# Named in the environment of every CLI of this run, and so a way to find those that were left behind.
MARK = "FAKE_CLI_MARK"


async def soak(minutes: float, seed: int, *, carrier: str) -> Tally:
    tally = Tally()
    mark = f"soak-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="claudegwd-soak-") as scratch:
        cli = write_fake_cli(Path(scratch), mark=mark)
        workers = PATIENCE.format(carrier=carrier)
        keys = "cooldown_seconds = 1"
        async with gateway(cli, models=MODELS, workers=workers, keys=keys, limits="queue_seconds = 10") as server:
            await _visits(server, tally, WARM_SECONDS, seed)
            before = await _level(server, tally)
            _say(f"level after the warm-up: {before}")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_trouble, server, mark, random.Random(seed), tally)
                await _visits(server, tally, minutes * 60, seed + 1)
                nursery.cancel_scope.cancel()
            write_keys(server.directory, None, {"last": "sk-false-last"})
            await server.control("POST", "/v1/reload")
            await _visits(server, tally, 1.0, seed + 2)
            _compare(before, await _level(server, tally), tally)
            status = await server.stop()
            if status != 0:
                tally.problem(f"the daemon ended with {status} after SIGTERM")
        left = [pid for pid in _processes() if _marked(pid, mark)]
        if left:
            tally.problem(f"{len(left)} processes were left behind")
    return tally


async def _visits(server: Gateway, tally: Tally, seconds: float, seed: int) -> None:
    until = trio.current_time() + seconds
    async with trio.open_nursery() as nursery:
        for number in range(VISITORS):
            visitor = Visitor(server.port, random.Random(seed * 1000 + number), tally)
            nursery.start_soon(visitor.run, until)


async def _trouble(server: Gateway, mark: str, rng: random.Random, tally: Tally) -> None:
    """Everything that an operator, a kernel and an upstream may do, a few times a second."""
    serial = 0
    while True:
        await trio.sleep(rng.uniform(0.1, 1.0))
        match rng.randrange(6):
            case 0 | 1:
                kill_one(mark, rng, tally)
            case 2:
                await _rotate(server, tally)
            case 3:
                serial += 1
                fails = rng.sample(["fail-401", "fail-429", "fail-credit", "fail-403", "fail-529"], rng.randrange(3))
                tokens = {f"{fail}-{serial}": f"sk-false-{fail}-{serial}" for fail in fails}
                write_keys(server.directory, None, {**tokens, f"good-{serial}": f"sk-false-good-{serial}"})
                await server.control("POST", "/v1/reload")
                tally.outcomes["keys replaced"] += 1
            case 4:
                server.process.send_signal(signal.SIGHUP)
                tally.outcomes["reloaded"] += 1
            case 5:
                await server.status()


async def _rotate(server: Gateway, tally: Tally) -> None:
    try:
        await server.control("POST", "/v1/rotate", {"to": None})
        tally.outcomes["rotated"] += 1
    except RefusedError:
        tally.outcomes["not rotated: no other key"] += 1


def kill_one(mark: str, rng: random.Random, tally: Tally) -> None:
    """SIGKILL to one CLI process of this run."""
    pids = [pid for pid in _processes() if _marked(pid, mark)]
    if pids:
        try:
            os.kill(rng.choice(pids), signal.SIGKILL)
            tally.outcomes["killed"] += 1
        except ProcessLookupError:
            return


async def _level(server: Gateway, tally: Tally) -> dict[str, float]:
    """The daemon at rest: one spare worker and nothing else."""
    try:
        await server.until(_at_rest, seconds=REST_SECONDS)
    except RuntimeError:
        tally.problem(f"not at rest after {REST_SECONDS:.0f} s: {(await server.status())['workers']}")
    began = trio.current_time()
    lingering = server.descriptors()
    while server.descriptors() > QUIET_DESCRIPTORS and trio.current_time() < began + LINGER_SECONDS:
        await trio.sleep(0.5)
    if (late := trio.current_time() - began) > 1:
        _say(f"connections of clients that had gone stayed open for {late:.0f} s: {lingering} descriptors at first")
    children = [pid for pid in _processes() if _parent(pid) == server.process.pid]
    return {
        "processes": len(children),
        "descriptors": server.descriptors(),
        "memory": server.rss() / 1e6,
    }


def _at_rest(status: Any) -> bool:
    workers = dict(status["workers"])
    return workers.pop("spare") == 1 and not any(workers.values()) and status["requests"]["active"] == 0


def _compare(before: dict[str, float], after: dict[str, float], tally: Tally) -> None:
    _say(f"level at the end:        {after}")
    if after["processes"] != before["processes"]:
        tally.problem(f"{after['processes']:.0f} processes instead of {before['processes']:.0f}")
    if after["descriptors"] > before["descriptors"] + DESCRIPTOR_GROWTH:
        tally.problem(f"{after['descriptors']:.0f} descriptors instead of {before['descriptors']:.0f}")
    if after["memory"] > before["memory"] * MEMORY_GROWTH:
        tally.problem(f"{after['memory']:.0f} MB instead of {before['memory']:.0f} MB")


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _marked(pid: int, mark: str) -> bool:
    try:
        return f"{MARK}={mark}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--carrier", choices=("auto", "transcript"), default="auto", help="workers.carrier")
    arguments = parser.parse_args()
    tally = trio.run(lambda: soak(arguments.minutes, arguments.seed, carrier=arguments.carrier))
    for name, number in sorted(tally.outcomes.items()):
        _say(f"{number:8d} {name}")
    for problem in tally.problems:
        _say(f"WRONG: {problem}")
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
