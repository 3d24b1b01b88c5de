"""What clients have spent on other machines, as reported by these. Pure.

Each machine reports its own totals, not increments: a report that is repeated or late is not counted twice.
"""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Final

import msgspec

from claudegwd.limits.budget import Period, Unit

# How long another machine's report of what its running requests may still spend is valid: it is repeated while they
# run, and the machine may have been killed.
HELD_SECONDS: Final = 30.0


class Sum(msgspec.Struct, array_like=True, frozen=True):
    """What was spent in the window that began at `start`."""

    start: float
    usd: float
    tokens: float


class MachineSpent(msgspec.Struct, array_like=True, frozen=True):
    """What a client has spent on one machine, and what its requests there may still spend. `at`: time of the report."""

    at: float
    sums: Mapping[Period, Sum]
    held_usd: float = 0.0
    held_tokens: float = 0.0

    def spent(self, period: Period, start: float, unit: Unit) -> float:
        """What was spent in the window from `start`."""
        found = self.sums.get(period)
        if found is None or found.start != start:
            return 0.0
        return found.usd if unit == "usd" else found.tokens

    def held(self, unit: Unit, now: float) -> float:
        """What is held by running requests."""
        if now - self.at > HELD_SECONDS:
            return 0.0
        return self.held_usd if unit == "usd" else self.held_tokens


class Elsewhere:
    """Reports by client and machine. Empty if there are no other machines."""

    def __init__(self) -> None:
        self._said: dict[str, dict[str, MachineSpent]] = {}

    def put(self, client: str, machine: str, said: MachineSpent) -> None:
        """Record a machine's report on a client."""
        known = self._said.setdefault(client, {})
        if machine not in known or known[machine].at <= said.at:
            known[machine] = said

    def knows(self, client: str) -> bool:
        """Whether any machine has reported on it."""
        return client in self._said

    def keep(self, clients: Iterable[str]) -> None:
        """Forget all other clients."""
        kept = set(clients)
        self._said = {client: said for client, said in self._said.items() if client in kept}

    def spent(self, client: str, period: Period, start: float, unit: Unit) -> float:
        """On all machines."""
        return sum(said.spent(period, start, unit) for said in self._said.get(client, {}).values())

    def held(self, client: str, unit: Unit, now: float) -> float:
        """On all machines."""
        return sum(said.held(unit, now) for said in self._said.get(client, {}).values())


def encode_spent(said: MachineSpent) -> bytes:
    """As stored and sent: numbers."""
    return msgspec.msgpack.encode(said)


def decode_spent(data: bytes) -> MachineSpent | None:
    """None if it is not a report: from another version, or not written by us."""
    try:
        said = msgspec.msgpack.decode(data, type=MachineSpent)
    except (msgspec.DecodeError, ValueError):
        return None
    numbers = [said.at, said.held_usd, said.held_tokens]
    numbers += [number for one in said.sums.values() for number in (one.start, one.usd, one.tokens)]
    return said if all(isfinite(number) for number in numbers) else None
