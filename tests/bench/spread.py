"""How conversations spread over machines behind packaging/haproxy/haproxy.cfg: a simulation.

    python -m tests.bench.spread --machines 10 100

Consistent hashing with bounded loads as HAProxy does it: a circle with 256 places for each machine; the home of a
conversation is the next place behind its name's; a machine that has its share of what is under way, times the factor,
is passed over. Conversations ask, are answered for a while, and think for a while. No HAProxy and no gateway runs.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil

PLACES = 256  # of each machine on HAProxy's circle, at the weight 16


@dataclass(frozen=True)
class Spread:
    """`at_home`: the share of requests answered there; `heaviest`: the most under way on one machine over the mean."""

    requests: int
    at_home: float
    heaviest: float
    moved_by_one_more: float


class Circle:
    """Machines by number."""

    def __init__(self, machines: int) -> None:
        placed = sorted(
            (_hash(f"{machine}/{place}"), machine) for machine in range(machines) for place in range(PLACES)
        )
        self._hashes = [at for at, _ in placed]
        self._machines = [machine for _, machine in placed]

    def machines_for(self, name: str) -> Iterator[int]:
        """Its home, and then those behind, until all were named."""
        start = bisect(self._hashes, _hash(name))
        for step in range(len(self._machines)):
            yield self._machines[(start + step) % len(self._machines)]

    def home(self, name: str) -> int:
        return next(self.machines_for(name))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def choose(circle: Circle, under_way: Sequence[int], name: str, factor: float) -> int:
    """The machine for a request: the first that has less than its bound."""
    bound = ceil((sum(under_way) + 1) * factor / len(under_way))
    return next(machine for machine in circle.machines_for(name) if under_way[machine] < bound)


def simulate(
    machines: int, conversations: int, seconds: float, answer: float, pause: float, factor: float, seed: int = 1
) -> Spread:
    """All times are means, in seconds, and vary as between strangers (exponentially). One seed gives one result."""
    chance = random.Random(seed)
    circle = Circle(machines)
    names = [f"conversation-{number}" for number in range(conversations)]
    under_way = [0] * machines
    events: list[tuple[float, int, int, int]] = []  # when, the conversation, -1 or the machine that ends, a tie-breaker
    for number in range(conversations):
        heappush(events, (chance.expovariate(1 / pause), number, -1, 0))
    requests, home, heaviest, looks = 0, 0, 0.0, 0
    while events and events[0][0] < seconds:
        at, number, machine, _ = heappop(events)
        if machine >= 0:
            under_way[machine] -= 1
            heappush(events, (at + chance.expovariate(1 / pause), number, -1, 0))
            continue
        chosen = choose(circle, under_way, names[number], factor)
        under_way[chosen] += 1
        heappush(events, (at + chance.expovariate(1 / answer), number, chosen, 0))
        requests += 1
        home += chosen == circle.home(names[number])
        if at > seconds / 4:  # once it has settled
            heaviest += max(under_way) * machines / sum(under_way)
            looks += 1
    more = Circle(machines + 1)
    moved = sum(more.home(name) != circle.home(name) for name in names)
    return Spread(requests, home / requests, heaviest / max(1, looks), moved / conversations)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, nargs="+", default=[3, 10, 100])
    parser.add_argument("--conversations", type=int, default=50, help="for each machine")
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--answer", type=float, default=20, help="seconds, in the mean")
    parser.add_argument("--pause", type=float, default=100, help="seconds between an answer and the next question")
    parser.add_argument("--factor", type=float, default=1.25, help="hash-balance-factor / 100")
    given = parser.parse_args()
    print("| machines | requests | at home | busiest over mean | moved by one more machine |")
    print("|---:|---:|---:|---:|---:|")
    for machines in given.machines:
        found = simulate(
            machines, machines * given.conversations, given.seconds, given.answer, given.pause, given.factor
        )
        print(
            f"| {machines} | {found.requests} | {found.at_home:.0%} | {found.heaviest:.2f} | "
            f"{found.moved_by_one_more:.1%} |"
        )


if __name__ == "__main__":
    main()
