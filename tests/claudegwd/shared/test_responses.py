"""Kept responses over several machines with one store."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from claudegwd.openai_api.bounds import Bounds
from claudegwd.shared.responses import SharedResponses
from claudegwd.store.responses import UNSTORED, KeptResponse, KeptResponses
from claudegwd.store.sealing import KEY_BYTES, Seal
from tests.redis_server import RedisServer, needs_redis
from tests.shared_stores import SECRET, connected, store_of, until

pytestmark = needs_redis

WORDS = "what somebody wrote"
TOKEN = "0123456789abcdef0123456{}"
ROOM = 1_000_000


class Machine:
    def __init__(self, server: RedisServer, name: str, keep_seconds: float = 3600.0, **most: int) -> None:
        self.seal = Seal(SECRET)
        self.responses = KeptResponses(keep_seconds=keep_seconds)
        self.store = store_of(server.url, name, seal=self.seal)
        self.shared = SharedResponses(self.store, self.responses, self.seal, lambda: 5.0, **most)

    def keep(self, number: int, previous: int | None = None, owner: str = "ann#1", words: str = WORDS) -> None:
        self.responses.keep(owner, response(number, previous, words), 5.0)

    def has(self, number: int, owner: str = "ann#1") -> bool:
        return self.responses.get(owner, ident(number), 5.0) is not None

    def conversation(self, number: int) -> list[str] | None:
        history = self.responses.of("ann#1", 5.0, ROOM, self.seal).conversation(ident(number), Bounds())
        return None if history is None else [one.item.values["id"] for one in history.placed if one.item is not None]


def ident(number: int) -> str:
    return f"resp_{TOKEN.format(number)}"


def response(number: int, previous: int | None = None, words: str = WORDS) -> KeptResponse:
    asked = {"id": f"item_{TOKEN.format(number)}0000", "role": "user", "content": words}
    answered = {"id": f"msg_{TOKEN.format(number)}00", "role": "assistant", "content": words}
    body = json.dumps({"id": ident(number), "output": [answered]}).encode()
    before = None if previous is None else ident(previous)
    return KeptResponse(ident(number), before, body, json.dumps([asked]).encode(), (asked["id"], answered["id"]))


@asynccontextmanager
async def running(*machines: Machine) -> AsyncIterator[None]:
    async with connected(*(machine.store for machine in machines)) as nursery:
        for machine in machines:
            nursery.start_soon(machine.shared.run)
        yield


async def settled(machine: Machine, count: int, server: RedisServer) -> None:
    """So many are in the store, and the machine has nothing more to write."""
    await until(lambda: stored(server) == count and not machine.shared._waiting and not machine.shared._compares)


def stored(server: RedisServer) -> int:
    found = server.ask("ZCARD", "claudegwd:responses")
    assert isinstance(found, int)
    return found


async def test_another_machine_goes_on_from_the_whole_conversation_by_one_round_trip(server: RedisServer) -> None:
    one, two = Machine(server, "one"), Machine(server, "two")
    async with running(one, two):
        for number in range(3):
            one.keep(number, number - 1 if number else None)
        await settled(one, 3, server)  # which may have written one twice, when it connected
        assert two.conversation(2) is None
        before = calls(server)
        assert await two.shared.fetch("ann#1", ident(2))
        assert calls(server) - before == 1
        assert two.conversation(2) == one.conversation(2)
        assert not await two.shared.fetch("bob#1", ident(2))  # another's
        assert not await two.shared.fetch("ann#1", "resp_other")


def calls(server: RedisServer) -> int:
    """Scripts that were run so far."""
    said = server.ask("INFO", "commandstats")
    assert isinstance(said, bytes)
    lines = [line for line in said.decode().splitlines() if line.startswith(("cmdstat_eval:", "cmdstat_evalsha:"))]
    # One that the store did not know yet is sent a second time, and the first try is counted as failed.
    return sum(int(line.partition("calls=")[2].partition(",")[0]) for line in lines) - sum(
        int(line.partition("failed_calls=")[2]) for line in lines
    )


async def test_by_the_id_of_an_item(server: RedisServer) -> None:
    one, two = Machine(server, "one"), Machine(server, "two")
    async with running(one, two):
        one.keep(1)
        await until(lambda: stored(server) == 1)
        earlier = two.responses.of("ann#1", 5.0, ROOM, two.seal)
        assert earlier.item(f"msg_{TOKEN.format(1)}00") is None
        assert await two.shared.fetch("ann#1", earlier.missing)
        item = earlier.item(f"msg_{TOKEN.format(1)}00")
        assert item == {"id": f"msg_{TOKEN.format(1)}00", "role": "assistant", "content": WORDS}


async def test_deleted_on_one_it_is_gone_everywhere(server: RedisServer) -> None:
    one, two, three = (Machine(server, name) for name in ("one", "two", "three"))
    async with running(one, two, three):
        one.keep(1)
        one.keep(2)
        await until(lambda: stored(server) == 2)
        assert await two.shared.fetch("ann#1", ident(1))
        assert await three.shared.delete("ann#1", ident(1))
        await until(lambda: not one.has(1) and not two.has(1))
        assert not await three.shared.delete("ann#1", ident(1))
        assert not await three.shared.fetch("ann#1", ident(1))
        assert one.has(2)
        assert stored(server) == 1


async def test_nothing_is_lost_when_the_store_was_away_and_comes_back_empty(server: RedisServer) -> None:
    one, two = Machine(server, "one"), Machine(server, "two")
    async with running(one, two):
        for number in (1, 2):
            one.keep(number)
        await until(lambda: stored(server) == 2)
        server.stop()
        await until(lambda: one.store.away_since is not None and two.store.away_since is not None)
        one.keep(3, 1)
        one.responses.delete("ann#1", ident(2))
        assert not await one.shared.delete("ann#1", ident(2))
        assert not await two.shared.fetch("ann#1", ident(1))
        server.start()
        await until(lambda: two.store.away_since is None and stored(server) == 2)
        assert await two.shared.fetch("ann#1", ident(3))
        assert two.conversation(3) == one.conversation(3)
        assert not await two.shared.fetch("ann#1", ident(2))


async def test_it_is_kept_for_a_while_since_its_last_use(server: RedisServer) -> None:
    one = Machine(server, "one", keep_seconds=100.0)
    async with running(one):
        one.keep(1)
        await settled(one, 1, server)
        first = one.shared._key("ann#1", ident(1))
        server.ask("EXPIRE", first, "5")
        assert await one.shared.fetch("ann#1", ident(1))
        assert server.ask("TTL", first) in {99, 100}
        server.ask("EXPIRE", first, "5")
        one.keep(2, 1)  # goes on from it
        await until(lambda: stored(server) == 2)
        assert server.ask("TTL", first) in {99, 100}


async def test_the_store_keeps_so_much_and_no_more(server: RedisServer) -> None:
    one = Machine(server, "one", stored_max=4 * response(1).size)
    async with running(one):
        for number in range(10):
            one.keep(number)
        await until(lambda: not one.shared._waiting)
        found = server.ask("KEYS", "claudegwd:response:*")
        assert isinstance(found, list)
        assert 2 <= len(found) < 10
        assert len(found) == stored(server)
        assert await one.shared.fetch("ann#1", ident(9))
        assert not await one.shared.fetch("ann#1", ident(0))


async def test_what_is_over_is_taken_out_of_the_count(server: RedisServer) -> None:
    one = Machine(server, "one", keep_seconds=60.0)
    async with running(one):
        one.keep(1)
        one.keep(2)
        await settled(one, 2, server)
        whole = int(server.ask("GET", "claudegwd:responses:bytes"))  # type: ignore[call-overload]
        for member in server.ask("ZRANGE", "claudegwd:responses", "0", "-1"):  # type: ignore[attr-defined]
            server.ask("ZADD", "claudegwd:responses", "1", member)  # both were written long ago
        gone = member.partition(b" ")[2]
        server.ask("DEL", gone)  # as its time does
        one.keep(3)
        await until(lambda: not one.shared._waiting)
        assert stored(server) == 2
        assert int(server.ask("GET", "claudegwd:responses:bytes")) == whole  # type: ignore[call-overload]


async def test_what_is_not_to_be_stored_or_too_large_stays(server: RedisServer) -> None:
    one = Machine(server, "one", response_max=10_000)
    async with running(one):
        one.keep(1, owner=f"{UNSTORED}1")
        one.keep(2, words="x" * 20_000)
        one.keep(3)
        await until(lambda: stored(server) == 1)
        assert one.has(2)


async def test_nobody_reads_it_in_the_store_and_what_others_write_is_nothing(server: RedisServer) -> None:
    one, two = Machine(server, "one"), Machine(server, "two")
    async with running(one, two):
        one.keep(1)
        one.keep(2)
        await settled(one, 2, server)
        names = server.ask("KEYS", "*")
        everything = repr([names, *(server.ask("HGETALL", name) for name in names if b"response:" in name)])  # type: ignore[attr-defined]
        assert all(word not in everything for word in (WORDS, "ann", ident(1)))
        first, second = one.shared._key("ann#1", ident(1)), one.shared._key("ann#1", ident(2))
        server.ask("HSET", first, "d", server.ask("HGET", second, "d"))  # type: ignore[arg-type]
        assert not await two.shared.fetch("ann#1", ident(1))
        server.ask("HSET", second, "d", Seal(bytes(KEY_BYTES)).lock(b"x", b""), "p", second)  # type: ignore[arg-type]
        assert not await two.shared.fetch("ann#1", ident(2))
        server.ask("PUBLISH", one.store.channel("responses").decode(), "delete all")
        one.keep(3)
        await until(lambda: stored(server) == 3)
        assert one.has(1)


async def test_deleted_before_it_was_told_it_is_not_told(server: RedisServer) -> None:
    one = Machine(server, "one")
    async with running(one):
        one.keep(1)
        one.responses.delete("ann#1", ident(1))
        await one.shared.delete("ann#1", ident(1))
        one.keep(2)
        await until(lambda: not one.shared._waiting)
        assert not await one.shared.fetch("ann#1", ident(1))


async def test_what_was_deleted_is_not_brought_back_by_a_machine_that_was_away(server: RedisServer) -> None:
    one, two = Machine(server, "one"), Machine(server, "two")
    async with running(one):
        async with running(two):
            two.keep(1)
            two.keep(2)
            await settled(two, 2, server)
        assert await one.shared.delete("ann#1", ident(1))
        async with running(two):
            await until(lambda: not two.has(1))
            await settled(two, 1, server)
            assert two.has(2)
        assert not await one.shared.fetch("ann#1", ident(1))
        assert server.ask("TTL", one.shared._gone("ann#1", ident(1))) in {3599, 3600}


async def test_one_that_does_not_get_through_does_not_hold_up_the_others(server: RedisServer) -> None:
    server.ask("CONFIG", "SET", "proto-max-bulk-len", str(2**20))  # as a slow line does, it ends the connection
    one = Machine(server, "one")
    async with running(one):
        one.keep(1, words="x" * 2**20)
        one.keep(2)
        await until(lambda: stored(server) == 1)
        await settled(one, 1, server)
        assert one.has(1)
        assert await one.shared.fetch("ann#1", ident(2))


async def test_one_that_did_not_get_through_is_forgotten_with_its_response(server: RedisServer) -> None:
    server.ask("CONFIG", "SET", "proto-max-bulk-len", str(2**20))
    one = Machine(server, "one")
    async with running(one):
        one.keep(1, words="x" * 2**20)
        await until(lambda: not one.shared.unsent())
        one.responses.delete("ann#1", ident(1))
        one.keep(2, words="x" * 2**20)
        await until(lambda: not one.shared.unsent())
        assert set(one.shared._failed) == {one.shared._key("ann#1", ident(2))}
