"""The usage of several machines with one store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from claudegwd.ledger.query import UsageQuery, answer
from claudegwd.shared.connection import StoreAwayError
from claudegwd.shared.usage import SharedUsage
from claudegwd.store.database import StateError
from claudegwd.store.sealing import Seal
from tests.redis_server import RedisServer, needs_redis
from tests.shared_stores import SECRET, connected, store_of, until

pytestmark = needs_redis

QUESTION = UsageQuery(5.0, ("client",), "ann")


class Machine:
    def __init__(self, server: RedisServer, name: str, requests: int) -> None:
        self.requests = requests
        self.store = store_of(server.url, name, seal=Seal(SECRET))
        self.shared = SharedUsage(self.store, Seal(SECRET), self.read)

    async def read(self, question: UsageQuery) -> dict[str, Any]:
        if not self.requests:
            raise StateError("cannot read")
        return answer(question, [(question.client, 0, self.requests)], (0, self.requests))


@asynccontextmanager
async def running(*machines: Machine) -> AsyncIterator[None]:
    async with connected(*(machine.store for machine in machines)) as nursery:
        for machine in machines:
            nursery.start_soon(machine.shared.run)
        yield


async def test_each_machine_answers_the_same_question(server: RedisServer) -> None:
    machines = one, _ = Machine(server, "one", 3), Machine(server, "two", 4)
    async with running(*machines):
        found = await one.shared.read_all(QUESTION, ["one", "two"])
        assert found == {machine.store.name: await machine.read(QUESTION) for machine in machines}


async def test_one_that_cannot_answer_is_not_waited_for_long(server: RedisServer) -> None:
    one, broken = Machine(server, "one", 3), Machine(server, "two", 0)
    async with running(one, broken):
        assert list(await one.shared.read_all(QUESTION, ["one", "two"])) == ["one"]


async def test_the_store_holds_nothing_that_can_be_read_and_not_for_long(server: RedisServer) -> None:
    one = Machine(server, "one", 3)
    async with running(one):
        await one.shared.read_all(QUESTION, ["one"])
        names = server.ask("KEYS", "*")
        assert isinstance(names, list)
        [key] = [name.decode() for name in names if name.startswith(b"claudegwd:usage:")]
        left = server.ask("TTL", key)
        assert isinstance(left, int)
        assert 0 < left <= 10
        assert "ann" not in repr(server.ask("HGETALL", key))
        for content in ("", "question"):
            server.ask("PUBLISH", one.store.channel("usage").decode(), content)
        assert await one.shared.read_all(QUESTION, ["one"])


async def test_a_store_that_is_away(server: RedisServer) -> None:
    one = Machine(server, "one", 3)
    async with running(one):
        server.stop()
        await until(lambda: one.store.away_since is not None)
        with pytest.raises(StoreAwayError):
            await one.shared.read_all(QUESTION, ["one"])
