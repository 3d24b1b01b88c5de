from __future__ import annotations

import pytest

from claudegwd.shared.connection import StoreAwayError
from claudegwd.shared.machines import SharedMachines
from tests.redis_server import RedisServer, needs_redis
from tests.shared_stores import connected, store_of, until

pytestmark = needs_redis


async def test_each_machine_is_listed_with_what_it_says_of_itself(server: RedisServer) -> None:
    stores = [store_of(server.url, name) for name in ("one", "two")]
    one, two = (SharedMachines(store, lambda: {"state": "ready", "version": "1"}, lambda: 5.0) for store in stores)
    async with connected(*stores) as nursery:
        nursery.start_soon(two.run)
        await until(lambda: server.ask("EXISTS", "claudegwd:machine:two") == 1)
        rows = await one.rows()
        assert rows == [
            {"machine": name, "state": "ready", "version": "1", "last_seen": 5.0} for name in ("one", "two")
        ]


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
