"""Which machines share the store: each reports every few seconds that it is running, and how busy it is."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec
import trio

from claudegwd.shared.connection import StoreAwayError
from claudegwd.shared.store import Script, SharedStore

BEAT_SECONDS: Final = 5.0  # how old the information shown about another machine may be
# Three heartbeats: a machine that has missed this many is gone.
GONE_SECONDS: Final = 15.0
# A machine that was switched off stays listed for a day, so that somebody notices.
LISTED_SECONDS: Final = 86_400.0
MACHINES_MAX: Final = 1000  # this many names are not real machines

# KEYS: the report, the list of all machines. ARGV: the report, its machine, seconds until that is gone, and forgotten.
_BEAT: Final = Script(
    """
local time = redis.call('TIME')
redis.call('SET', KEYS[1], ARGV[1], 'PX', math.ceil(ARGV[3] * 1000))
redis.call('ZADD', KEYS[2], time[1], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', time[1] - ARGV[4])
redis.call('PEXPIRE', KEYS[2], math.ceil(ARGV[4] * 1000))
"""
)


class SharedMachines:
    """`run` it as a task. `describe`: what this machine reports about itself; no token, no content."""

    def __init__(
        self, store: SharedStore, describe: Callable[[], Mapping[str, Any]], clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._describe = describe
        self._clock = clock

    async def run(self) -> None:
        """Report forever that this machine is running."""
        while True:
            with suppress(StoreAwayError):  # until the next one
                await self.beat()
            await trio.sleep(BEAT_SECONDS)

    async def beat(self) -> None:
        """Report once. Raises StoreAwayError."""
        said = msgspec.json.encode({**self._describe(), "at": self._clock()})  # `at`: for older versions
        keys = [self._name(self._store.name), self._list]
        await self._store.run_script(_BEAT, keys, said, self._store.name, GONE_SECONDS, LISTED_SECONDS)

    async def rows(self) -> list[dict[str, Any]]:
        """A dict for each machine, sorted by name: `machine`, `state` ("gone" if silent), `last_seen`, and its report.
        Raises StoreAwayError."""
        await self.beat()  # so that its own report is current
        listed = await self._store.call("ZRANGE", self._list, 0, MACHINES_MAX - 1, "WITHSCORES")
        seen = {name.decode("utf-8", "replace"): float(at) for name, at in listed}
        # By the store's clock, which is the same for all; this machine was seen just now.
        ahead = self._clock() - seen.get(self._store.name, self._clock())
        names = sorted(seen)
        said = await self._store.call("MGET", *map(self._name, names))
        return [_row(name, data, seen[name] + ahead) for name, data in zip(names, said, strict=True)]

    @property
    def _list(self) -> str:
        return self._store.key("machines")

    def _name(self, machine: str) -> str:
        return self._store.key("machine", machine)


def _row(name: str, data: bytes | None, seen: float) -> dict[str, Any]:
    gone = {"machine": name, "state": "gone", "last_seen": seen}
    if data is None:
        return gone
    try:
        said = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError:
        return gone  # not written by us
    said.pop("at", None)  # by a clock that may be wrong
    return {**said, "machine": name, "last_seen": seen} if "state" in said else gone
