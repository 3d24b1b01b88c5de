"""Two machines with the same name, with the real server."""

from __future__ import annotations

import trio

from claudegwd.shared.own_name import HELD_SECONDS, OwnName
from claudegwd.shared.store import SharedStore
from tests.redis_server import RedisServer, needs_redis
from tests.shared_stores import connected, refused, store_of, until

pytestmark = needs_redis

KEY = "claudegwd:name:one"
RENEW_SECONDS = 1.0  # five times as often as outside tests


def machine(server: RedisServer, host: str, name: str = "one") -> tuple[SharedStore, OwnName]:
    store = store_of(server.url, name)
    return store, OwnName(store, host, renew_seconds=RENEW_SECONDS)


async def test_the_second_of_a_name_does_not_start_and_reads_where_the_first_is(server: RedisServer) -> None:
    (one, name), (two, _), (other, _) = (
        machine(server, "left.example.org"), machine(server, "right.example.org"), machine(server, "right", "two"),
    )  # fmt: skip
    async with connected(one) as nursery:
        nursery.start_soon(name.run)
        fault = await refused(two)
        assert fault.setting == "shared.machine"
        assert "which a running machine" in str(fault)
        assert "left.example.org, process " in str(fault)
        assert one.away_since is None
        async with connected(other):
            assert other.away_since is None


async def test_a_machine_that_was_killed_gives_its_name_free_at_once(server: RedisServer) -> None:
    for host in ("before", "after"):
        store, _ = machine(server, host)
        async with connected(store):  # its end closes the connection, as the kernel does after a kill
            assert str(server.ask("GET", KEY)).count(host) == 1
    left = server.ask("PTTL", KEY)
    assert isinstance(left, int)
    assert 0 < left <= HELD_SECONDS * 1000


async def test_one_that_was_cut_off_silently_has_its_name_for_some_seconds(server: RedisServer) -> None:
    """The store still has its connection, but nobody renews."""
    cut_off, (after, _) = machine(server, "before")[0], machine(server, "after")
    async with connected(cut_off):
        server.ask("PEXPIRE", KEY, "1500")
        began = trio.current_time()
        async with connected(after):
            assert 1.0 < trio.current_time() - began < HELD_SECONDS
            assert "after" in str(server.ask("GET", KEY))


async def test_who_has_lost_its_name_meanwhile_leaves_the_store_and_comes_back(server: RedisServer) -> None:
    (one, name), (two, second) = machine(server, "left"), machine(server, "right")
    async with connected(one) as nursery:
        server.ask("DEL", KEY)  # it was silent for long, as a computer that slept
        async with connected(two) as others:
            others.start_soon(second.run)
            nursery.start_soon(name.run)
            await until(lambda: "must be another name than one" in one.problem)
            assert one.away_since is not None
            assert "right" in one.problem
            assert two.away_since is None
        await until(lambda: one.away_since is None)


async def test_the_store_restarted_and_empty_keeps_nobody_away(server: RedisServer) -> None:
    store, name = machine(server, "left")
    async with connected(store) as nursery:
        nursery.start_soon(name.run)
        server.stop()
        await until(lambda: store.away_since is not None)
        server.start()
        await until(lambda: store.away_since is None)
        assert "left" in str(server.ask("GET", KEY))
