from __future__ import annotations

import pytest

from claudegwd.shared.connection import StoreAwayError
from claudegwd.shared.machines import SharedMachines
from tests.redis_server import RedisServer, needs_redis
from tests.shared_stores import connected, store_of, until

pytestmark = needs_redis


async def test_each_machine_is_listed_with_what_it_says_of_itself(server: RedisServer) -> None:
    stores = [store_of(server.url, name) for name in ("one", "two")]
    describe = {"state": "ready", "version": "1"}
    one = SharedMachines(stores[0], lambda: describe, lambda: 5e9)
    two = SharedMachines(stores[1], lambda: describe, lambda: 1.0)
    async with connected(*stores) as nursery:
        nursery.start_soon(two.run)
        await until(lambda: server.ask("EXISTS", "claudegwd:machine:two") == 1)
        rows = await one.rows()
        # The clock of the other one is wrong: when it was seen is told by that of the store.
        assert [row.pop("last_seen") for row in rows] == [pytest.approx(5e9, abs=3), pytest.approx(5e9, abs=3)]
        assert rows == [{"machine": name, **describe} for name in ("one", "two")]


async def test_one_that_is_silent_is_gone(server: RedisServer) -> None:
    stores = [store_of(server.url, name) for name in ("one", "two")]
    one, two = (SharedMachines(store, lambda: {"state": "ready"}) for store in stores)
    async with connected(*stores):
        await two.beat()
        server.ask("DEL", "claudegwd:machine:two")  # as its time does
        here, gone = await one.rows()
        assert here["state"] == "ready"
        assert (gone["machine"], gone["state"], sorted(gone)) == ("two", "gone", ["last_seen", "machine", "state"])


async def test_a_stranger_under_the_name_of_a_machine(server: RedisServer) -> None:
    store = store_of(server.url, "one")
    machines = SharedMachines(store, lambda: {"state": "ready"})
    async with connected(store):
        await machines.beat()
        server.ask("ZADD", "claudegwd:machines", "9e12", "odd")
        server.ask("SET", "claudegwd:machine:odd", "no JSON")
        assert [(row["machine"], row["state"]) for row in await machines.rows()] == [("odd", "gone"), ("one", "ready")]


async def test_a_store_that_is_away(server: RedisServer) -> None:
    store = store_of(server.url, "one")
    machines = SharedMachines(store, dict)
    async with connected(store):
        server.stop()
        await until(lambda: store.away_since is not None)
        with pytest.raises(StoreAwayError):
            await machines.rows()
