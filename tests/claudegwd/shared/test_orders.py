"""Orders for the upstream keys of several machines with one store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from claudegwd.keys.answers import UnknownKey
from claudegwd.keys.key import KeyStatus, UpstreamKey
from claudegwd.keys.ring import KeyRing
from claudegwd.shared.connection import StoreAwayError
from claudegwd.shared.orders import Order, SharedOrders
from claudegwd.store.sealing import KEY_BYTES, Seal
from tests.redis_server import RedisServer, needs_redis
from tests.shared_stores import SECRET, connected, store_of, until

pytestmark = needs_redis

NOW = 1_700_000_000.0
FIRST, SECOND, THIRD = (UpstreamKey(name, f"sk-false-{name}") for name in ("first", "second", "third"))


class Machine:
    def __init__(self, server: RedisServer, name: str, now: float = NOW) -> None:
        self.now = now
        self.ring = KeyRing([FIRST, SECOND, THIRD], cooldown_seconds=60)
        self.store = store_of(server.url, name, seal=Seal(SECRET))
        self.orders = SharedOrders(self.store, self.ring, Seal(SECRET), lambda: self.now)

    def states(self) -> list[str]:
        return [row["state"] for row in self.ring.snapshot(self.now)]


@asynccontextmanager
async def running(*machines: Machine) -> AsyncIterator[None]:
    async with connected(*(machine.store for machine in machines)) as nursery:
        for machine in machines:
            nursery.start_soon(machine.orders.run)
        yield


async def all_are(machines: tuple[Machine, ...], *states: str) -> None:
    await until(lambda: all(machine.states() == list(states) for machine in machines))


async def test_a_key_is_disabled_and_enabled_on_all(server: RedisServer) -> None:
    machines = one, two = Machine(server, "one"), Machine(server, "two")
    async with running(*machines):
        await one.orders.disable("first", disabled=True)
        await all_are(machines, "disabled", "active", "ready")
        two.now += 1
        await two.orders.disable("first", disabled=False)
        await all_are(machines, "ready", "active", "ready")
        with pytest.raises(UnknownKey):
            await one.orders.disable("absent", disabled=True)


async def test_the_later_order_counts_though_the_clock_of_the_earlier_one_is_ahead(server: RedisServer) -> None:
    machines = ahead, behind = Machine(server, "ahead", NOW + 30), Machine(server, "behind")
    async with running(*machines):
        await ahead.orders.disable("first", disabled=True)
        await all_are(machines, "disabled", "active", "ready")
        await behind.orders.disable("first", disabled=False)
        await all_are(machines, "ready", "active", "ready")
        await ahead.orders.rotate("second")
        await behind.orders.rotate("third")
        await all_are(machines, "ready", "ready", "active")


async def test_the_active_key_is_changed_on_all(server: RedisServer) -> None:
    machines = one, two = Machine(server, "one"), Machine(server, "two")
    async with running(*machines):
        await one.orders.rotate("third")
        await all_are(machines, "ready", "ready", "active")
        two.ring.rotate(NOW, "second")  # each may go on by itself
        assert two.states() == ["ready", "active", "ready"]


async def test_who_joins_follows_what_holds_and_not_an_old_rotation(server: RedisServer) -> None:
    one = Machine(server, "one")
    async with running(one):
        await one.orders.disable("second", disabled=True)
        await one.orders.rotate("third")
        late = Machine(server, "late", NOW + 60)
        async with running(late):
            await all_are((late,), "active", "disabled", "ready")


async def test_the_list_of_keys_is_read_anew_and_the_order_holds(server: RedisServer) -> None:
    one = Machine(server, "one")
    async with running(one):
        await one.orders.disable("first", disabled=True)
        one.ring.replace([FIRST, THIRD], NOW)
        assert one.states() == ["disabled", "active"]
        await one.orders.disable("third", disabled=True)
        one.ring.replace([disabled_in_the_list(FIRST), THIRD], NOW)
        assert one.states() == ["disabled", "disabled"]
        one.now += 1
        await one.orders.disable("first", disabled=False)
        assert one.states() == ["disabled", "disabled"]  # as its own list says


def disabled_in_the_list(key: UpstreamKey) -> UpstreamKey:
    return UpstreamKey(key.name, key.token, status=KeyStatus.DISABLED)


async def test_the_store_goes_away_and_comes_back_empty(server: RedisServer) -> None:
    machines = one, two = Machine(server, "one"), Machine(server, "two")
    async with running(*machines):
        await one.orders.disable("first", disabled=True)
        await all_are(machines, "disabled", "active", "ready")
        server.stop()
        await until(lambda: two.store.away_since is not None)
        with pytest.raises(StoreAwayError):
            await two.orders.disable("second", disabled=True)
        assert two.states() == ["disabled", "active", "ready"]
        server.start()
        await until(lambda: server.ask("HLEN", "claudegwd:orders") == 1)
        late = Machine(server, "late", NOW + 60)
        async with running(late):
            await all_are((late,), "disabled", "active", "ready")


async def test_whoever_writes_to_the_store_gives_no_orders(server: RedisServer) -> None:
    one = Machine(server, "one")
    async with running(one):
        order = msgspec.msgpack.encode(Order(FIRST.digest, NOW + 5, "eve", FIRST.digest, disabled=True))
        forged = Seal(bytes(KEY_BYTES)).lock(order, b"order\0")
        for content in (b"", order, forged):
            server.ask("PUBLISH", one.store.channel("orders").decode(), content)  # type: ignore[arg-type]
            server.ask("HSET", "claudegwd:orders", FIRST.digest, content)  # type: ignore[arg-type]
        late = Machine(server, "late")
        async with running(late):
            await late.orders.disable("second", disabled=True)
            await all_are((one, late), "active", "disabled", "ready")
