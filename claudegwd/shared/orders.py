"""The operator's orders about upstream keys on all machines: disable this one, activate that one.

Orders are sealed with the machines' secret, so write access to the store is not enough to give one. Each machine
applies them only to its ring: no keys.json is changed, and an order that is withdrawn leaves nothing behind. The latest
order for a key counts. If the store comes back empty, they are sent again.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from claudegwd.keys.answers import CannotRotate, UnknownKey
from claudegwd.keys.ring import KeyRing
from claudegwd.logs import event, log
from claudegwd.shared.patience import patiently
from claudegwd.shared.store import Script, SharedStore
from claudegwd.shared.upkeep import Upkeep
from claudegwd.store.change_time import next_change
from claudegwd.store.sealing import Seal

# Keys with orders; a higher number are not keys of ours.
ORDERS_MAX: Final = 1000

_ACTIVE: Final = "active"  # the `place` of the order that names the active key
_PURPOSE: Final = b"order\0"

_WRITE: Final = Script("redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])\nreturn redis.call('PUBLISH', ARGV[3], ARGV[2])")


class Order(msgspec.Struct, array_like=True, frozen=True):
    """`place`: the digest of a key that is `disabled` or no longer so, or "active" to make `digest` the active key."""

    place: str
    at: float
    by: str
    digest: str
    disabled: bool = False


class SharedOrders:
    """`run` it as a task. `clock`: wall clock, seconds."""

    def __init__(self, store: SharedStore, ring: KeyRing, seal: Seal, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._ring = ring
        self._seal = seal
        self._clock = clock
        self._started = clock()
        self._known: dict[str, Order] = {}
        self._upkeep = Upkeep()
        self._channel = store.channel("orders")
        store.on_message[self._channel] = self._hear
        store.on_connected.append(self._connected)

    async def disable(self, name: str, *, disabled: bool) -> None:
        """Disable or enable a key of ours on all machines. Raises UnknownKey; on StoreAwayError nothing has changed."""
        digest = self._digest(name)
        await self._give(Order(digest, self._now(digest), self._store.name, digest, disabled))

    async def rotate(self, name: str) -> None:
        """Make one of our keys the active one on all machines. Raises UnknownKey, StoreAwayError."""
        await self._give(Order(_ACTIVE, self._now(_ACTIVE), self._store.name, self._digest(name)))

    async def run(self) -> None:
        """Forever: synchronize the store and the ring when the store has come back."""
        await self._upkeep.run(self._bring_together)

    async def _bring_together(self) -> None:
        found = await self._store.call("HGETALL", self._name)
        there = {order.place: order for sealed in list(found.values())[:ORDERS_MAX] if (order := self._opened(sealed))}
        for order in there.values():
            self._take(order)
        for place, order in list(self._known.items()):  # more may come while one is written
            if there.get(place) != order:
                await self._write(order)

    async def _give(self, order: Order) -> None:
        await patiently(lambda: self._write(order))
        self._take(order)

    async def _write(self, order: Order) -> None:
        sealed = self._seal.lock(msgspec.msgpack.encode(order), _PURPOSE)
        await self._store.run_script(_WRITE, [self._name], order.place, sealed, self._channel)

    async def _connected(self) -> None:
        self._upkeep.due()

    def _hear(self, content: bytes) -> None:
        if (order := self._opened(content)) is not None:
            self._take(order)

    def _take(self, order: Order) -> None:
        known = self._known.get(order.place)
        if (known is not None and known.at >= order.at) or (known is None and len(self._known) >= ORDERS_MAX):
            return
        self._known[order.place] = order
        name = next((row.name for row in self._ring.remembered() if row.digest == order.digest), None)
        if order.place == _ACTIVE:
            # An order from before this machine started is obsolete: the machine has its own active key by now.
            if name is not None and order.at >= self._started:
                with suppress(UnknownKey, CannotRotate):
                    self._ring.rotate(self._clock(), name)
        else:
            withheld = {place for place, each in self._known.items() if each.disabled}
            self._ring.withhold(withheld, self._clock())
        if name is not None and order.by != self._store.name:
            what = "active" if order.place == _ACTIVE else "disabled" if order.disabled else "enabled"
            event(
                log, logging.INFO, "a command for all machines was carried out", key=name, status=what, machine=order.by
            )

    def _now(self, place: str) -> float:
        known = self._known.get(place)
        return self._clock() if known is None else next_change(self._clock(), known.at)

    def _opened(self, sealed: bytes) -> Order | None:
        opened = self._seal.unlock(sealed, _PURPOSE)
        try:
            return msgspec.msgpack.decode(opened or b"", type=Order)
        except (msgspec.DecodeError, ValueError):
            return None  # not written by us

    def _digest(self, name: str) -> str:
        digest = next((row.digest for row in self._ring.remembered() if row.name == name), None)
        if digest is None:
            raise UnknownKey(f"cannot find key {name!r}; `claudegwctl keys list` shows the names")
        return digest

    @property
    def _name(self) -> str:
        return self._store.key("orders")
