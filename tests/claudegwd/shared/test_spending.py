"""A client's budget over several machines with one store, and on one without."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from claudegwd.limits.budget import BudgetReached, read_budgets
from claudegwd.limits.clients import Client, ClientBook, ClientTotals, token_digest
from claudegwd.limits.elsewhere import HELD_SECONDS
from claudegwd.limits.meter import Limits
from claudegwd.openai_api.errors import RateLimitExceeded
from claudegwd.shared.spending import KEEP_SECONDS, SharedSpending, _called
from tests.redis_server import RedisServer, needs_redis
from tests.shared_stores import connected, store_of, until

pytestmark = needs_redis

NOW = 1_700_000_000.0
BUDGETS = read_budgets("10usd/day,1000tokens/month")
ANN = Client("ann", token_digest("cgw-false-1"), budgets=BUDGETS)
KEY = f"claudegwd:spent:{_called('ann')}"


class Machine:
    def __init__(self, server: RedisServer, name: str, now: float = NOW) -> None:
        self.now = now
        self.book = ClientBook([(ANN, ClientTotals())], default=Limits())
        self.spending = self.book.spending
        self.store = store_of(server.url, name)
        self.shared = SharedSpending(self.store, self.book, lambda: self.now)

    def ask(self, usd: float) -> None:
        """One request, that costs so much. Raises RateLimitExceeded."""
        held = self.spending.reserve("ann", BUDGETS, "sonnet", 1, 1, NOW)
        self.spending.add("ann", NOW, usd, 1)
        held.end()

    def used(self) -> float:
        return self.spending.spent("ann", BUDGETS[0], NOW)


@asynccontextmanager
async def running(*machines: Machine) -> AsyncIterator[None]:
    async with connected(*(machine.store for machine in machines)) as nursery:
        for machine in machines:
            nursery.start_soon(machine.shared.run)
        yield


async def all_know(machines: Sequence[Machine], usd: float) -> None:
    await until(lambda: all(machine.used() == pytest.approx(usd) for machine in machines))


@pytest.mark.parametrize("count", [1, 3], ids=["one machine", "three machines"])
@pytest.mark.parametrize("shared", [False, True], ids=["no store", "a store"])
async def test_a_budget_is_one(server: RedisServer, count: int, shared: bool) -> None:
    machines = [Machine(server, f"m{number}") for number in range(count if shared else 1)]
    async with running(*(machines if shared else [])):
        for turn in range(5):
            machines[turn % len(machines)].ask(2.0)
            await all_know(machines, 2.0 * (turn + 1))
        for machine in machines:
            with pytest.raises(BudgetReached):
                machine.ask(2.0)


async def test_what_is_held_on_one_machine_is_not_free_on_another(server: RedisServer) -> None:
    one, two = Machine(server, "one"), Machine(server, "two")
    async with running(one, two):
        held = one.spending.reserve("ann", BUDGETS, "sonnet", 1, 1, NOW)  # no price is known: all that is left
        await until(lambda: two.spending.elsewhere.held("ann", "usd", NOW) == 10.0)
        with pytest.raises(RateLimitExceeded, match="is reserved for"):
            two.ask(1.0)
        held.end()
        await until(lambda: two.spending.elsewhere.held("ann", "usd", NOW) == 0.0)
        two.ask(1.0)


async def test_what_is_held_is_said_again_while_it_lasts_and_forgotten_with_its_machine(server: RedisServer) -> None:
    one, two = Machine(server, "one"), Machine(server, "two")
    async with running(two):
        async with running(one):
            one.spending.reserve("ann", BUDGETS, "sonnet", 1, 1, NOW)
            await until(lambda: two.spending.elsewhere.held("ann", "usd", NOW) == 10.0)
            one.now += 60.0
            one.shared.renew()
            await until(lambda: two.spending.elsewhere.held("ann", "usd", one.now) == 10.0)
        later = one.now + HELD_SECONDS + 1  # it was killed
        two.spending.reserve("ann", BUDGETS, "sonnet", 1, 1, later).end()


async def test_a_clock_that_is_set_back_hides_nothing(server: RedisServer) -> None:
    one, two = Machine(server, "one", NOW + 3600), Machine(server, "two")
    async with running(two):
        async with running(one):
            held = one.spending.reserve("ann", BUDGETS, "sonnet", 1, 1, NOW)
            await until(lambda: two.spending.elsewhere.held("ann", "usd", NOW) == 10.0)
            one.now = NOW
            held.end()
            one.ask(2.0)
            await all_know([one, two], 2.0)
            assert two.spending.elsewhere.held("ann", "usd", NOW) == 0.0
        again = Machine(server, "one")  # as is its next run
        async with running(again):
            await all_know([again], 2.0)
            again.ask(2.0)
            await all_know([again, two], 4.0)


async def test_the_store_goes_away_and_comes_back_empty(server: RedisServer) -> None:
    machines = one, _ = Machine(server, "one"), Machine(server, "two")
    for machine in machines:
        machine.spending.share = lambda store=machine.store: 1.0 if store.away_since is None else 0.5  # type: ignore[misc]
    async with running(*machines):
        one.ask(2.0)
        await all_know(machines, 2.0)
        server.stop()
        await until(lambda: all(machine.store.away_since is not None for machine in machines))
        for machine in machines:
            machine.ask(4.0)  # half of the eight that were left
            with pytest.raises(RateLimitExceeded, match="the shared store is unavailable"):
                machine.ask(4.0)
        server.start()
        await all_know(machines, 10.0)
        with pytest.raises(BudgetReached):
            one.ask(1.0)


async def test_a_machine_that_joins_or_has_lost_its_state_learns_what_was_spent(server: RedisServer) -> None:
    one = Machine(server, "one")
    async with running(one):
        one.ask(3.0)
        await until(lambda: server.ask("HLEN", KEY) == 1)
        two = Machine(server, "two")
        async with running(two):
            await all_know([two], 3.0)
    again = Machine(server, "one")
    async with running(again):
        await all_know([again], 3.0)


async def test_a_budget_that_is_set_later_counts_from_then_on_everywhere(server: RedisServer) -> None:
    machines = one, _ = Machine(server, "one"), Machine(server, "two")
    for machine in machines:
        machine.book.change(Client("ann", ANN.digest))
    async with running(*machines):
        one.spending.add("ann", NOW, 4.0, 1)
        for machine in machines:
            machine.book.change(ANN)
            machine.shared.look()
        await all_know(machines, 4.0)


async def test_who_has_no_budget_costs_the_store_nothing(server: RedisServer) -> None:
    one = Machine(server, "one")
    async with running(one):
        one.spending.add("bob", NOW, 4.0, 1)
        one.ask(1.0)
        await until(lambda: server.ask("KEYS", "*") == [KEY.encode()])


async def test_what_others_write_there_and_what_is_old(server: RedisServer) -> None:
    one = Machine(server, "one")
    async with running(one):
        one.ask(1.0)
        await until(lambda: server.ask("HLEN", KEY) == 1)
        left = server.ask("PTTL", KEY)
        assert isinstance(left, int)
        assert 0 < left <= KEEP_SECONDS * 1000
        server.ask("HSET", KEY, "odd", "no numbers")
        for content in ("", "no message", "\x93\xa1a\xa1b\xa1c"):
            server.ask("PUBLISH", one.store.channel("spent").decode(), content)
        late = Machine(server, "late", NOW + KEEP_SECONDS + 1)
        async with running(late):
            await until(lambda: server.ask("HKEYS", KEY) == [b"late"])
        assert one.used() == 1.0
