"""Limits of clients over several machines with one store, and of one machine without."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from math import ceil

import pytest
import trio

from claudegwd.limits.clients import Client, ClientBook, ClientTotals, token_digest
from claudegwd.limits.meter import Admission, Limits
from claudegwd.openai_api.errors import GatewayError, RateLimitExceeded, RequestTooLarge
from claudegwd.shared.connection import StoreAwayError
from claudegwd.shared.limits import LEASE_SECONDS, MEMBERS_MAX, SharedLimits
from claudegwd.shared.upkeep import RETRY_SECONDS
from tests.redis_server import RedisServer, needs_redis
from tests.shared_stores import PATIENCE_SECONDS, store_of, until

pytestmark = needs_redis

Admit = Callable[[], Awaitable[Admission]]


class Machine:
    def __init__(
        self, url: str, name: str, limits: Limits, local_share: float = 0.5, patience: float = PATIENCE_SECONDS
    ) -> None:
        self.client = Client("ann", token_digest("cgw-false-1"))
        self.book = ClientBook([(self.client, ClientTotals())], default=limits)
        self.store = store_of(url, name, patience=patience)
        self.limits = SharedLimits(self.store, local_share)
        self.book.share = self.limits.share

    async def admit(self) -> Admission:
        return await self.limits.admit(self.client, self.book, asks=True)

    def headers(self) -> dict[str, str]:
        now = trio.current_time()
        return self.book.meter(self.client, now).headers(now)


@asynccontextmanager
async def running(*machines: Machine) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        for machine in machines:
            await nursery.start(machine.store.run)
            nursery.start_soon(machine.limits.run)
        yield
        nursery.cancel_scope.cancel()


async def reserved(admission: Admission, prompt: int, answer: int = 0) -> Admission:
    """The admission with these tokens, as a request takes them."""
    if admission.take is not None:
        await admission.take(prompt, answer)
    else:
        admission.reserve(prompt, answer, trio.current_time())
    return admission


async def taken(machine: Machine, prompt: int, answer: int = 0) -> Admission:
    """A request with these tokens. It ends at once if it is refused."""
    admission = await machine.admit()
    try:
        return await reserved(admission, prompt, answer)
    except GatewayError:
        admission.end()
        raise


async def passing(admit: Admit, count: int) -> tuple[list[Admission], list[RateLimitExceeded]]:
    """Of so many at once, those that are let in, and the refusals of the others."""
    passed: list[Admission] = []
    refused: list[RateLimitExceeded] = []

    async def one() -> None:
        try:
            passed.append(await admit())
        except RateLimitExceeded as error:
            refused.append(error)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)
    return passed, refused


def alone(limits: Limits) -> Admit:
    """A machine without a store."""
    book = ClientBook(default=limits)
    client = Client("ann", token_digest("cgw-false-1"))

    async def admit() -> Admission:
        now = trio.current_time()
        return book.meter(client, now).admit(now)

    return admit


def in_turn(*machines: Machine) -> Admit:
    """Each request goes to the next machine."""
    waiting = list(machines)

    async def admit() -> Admission:
        waiting.append(machine := waiting.pop(0))
        return await machine.admit()

    return admit


@pytest.mark.parametrize("count", [0, 1, 3], ids=["no store", "one machine", "three machines"])
async def test_a_limit_of_requests_holds_to_the_request(server: RedisServer, count: int) -> None:
    limits = Limits(requests_per_minute=50)
    machines = [Machine(server.url, f"m{number}", limits) for number in range(count)]
    async with running(*machines):
        began = trio.current_time()
        passed, refused = await passing(in_turn(*machines) if machines else alone(limits), 200)
        more = ceil((trio.current_time() - began) * 50 / 60)  # what a minute's share of that time gives
        assert 50 <= len(passed) <= 50 + more
        assert all(0 < (error.retry_after or 0) <= 1.2 for error in refused)


@pytest.mark.parametrize("count", [0, 1, 3], ids=["no store", "one machine", "three machines"])
async def test_so_does_one_of_requests_at_once(server: RedisServer, count: int) -> None:
    limits = Limits(concurrent_requests=7)
    machines = [Machine(server.url, f"m{number}", limits) for number in range(count)]
    async with running(*machines):
        admit = in_turn(*machines) if machines else alone(limits)
        passed, refused = await passing(admit, 30)
        assert (len(passed), len(refused)) == (7, 23)
        for admission in passed[:3]:
            admission.end()
        if machines:
            await until(lambda: server.ask("ZCARD", machines[0].limits._places(_digest())) == 4)
        passed, _ = await passing(admit, 30)
        assert len(passed) == 3


async def test_tokens_that_one_machine_uses_are_gone_for_the_other(server: RedisServer) -> None:
    limits = Limits(tokens_per_minute=1_000_000)
    one, two = Machine(server.url, "one", limits), Machine(server.url, "two", limits)
    async with running(one, two):
        admission = await taken(one, 300_000, 300_000)
        with pytest.raises(RateLimitExceeded):
            await taken(two, 500_000)
        admission.settle(100_000, trio.current_time())  # it was less: the rest is free again, for all
        with trio.fail_after(20):
            while int((await _told(two))["x-ratelimit-remaining-tokens"]) < 850_000:
                await trio.sleep(0.01)


async def test_tokens_given_back_are_there_for_the_next_request(server: RedisServer) -> None:
    machine = Machine(server.url, "one", Limits(tokens_per_minute=1_000_000))
    async with running(machine):
        first = await taken(machine, 600_000)
        with pytest.raises(RateLimitExceeded):
            await taken(machine, 600_000)
        first.settle(100_000, trio.current_time())
        await taken(machine, 800_000)


async def test_tokens_used_while_the_store_is_asked_are_missing_from_its_reply(server: RedisServer) -> None:
    machine = Machine(server.url, "one", Limits(tokens_per_minute=1_000_000))
    async with running(machine):
        first = await taken(machine, 100_000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(taken, machine, 200_000)
            await trio.lowlevel.checkpoint()  # it has asked
            first.settle(500_000, trio.current_time())
        assert int(machine.headers()["x-ratelimit-remaining-tokens"]) < 310_000


async def test_a_request_that_can_never_pass_is_refused_at_once(server: RedisServer) -> None:
    machine = Machine(server.url, "one", Limits(tokens_per_minute=1_000))
    async with running(machine):
        with pytest.raises(RequestTooLarge):
            await taken(machine, 900, 101)


@pytest.mark.parametrize("count", [0, 1, 3], ids=["no store", "one machine", "three machines"])
async def test_a_limit_of_tokens_holds_to_the_request(server: RedisServer, count: int) -> None:
    limits = Limits(tokens_per_minute=600_000)
    machines = [Machine(server.url, f"m{number}", limits) for number in range(count)]
    async with running(*machines):
        admit, passed = in_turn(*machines) if machines else alone(limits), 0

        async def one(number: int) -> None:
            nonlocal passed
            await trio.sleep(number / 4000)  # some are admitted while others reserve
            admission = await admit()
            with suppress(RateLimitExceeded):
                await reserved(admission, 10_000)
                passed += 1

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(one, number)
        assert 60 <= passed <= 60 + ceil(trio.current_time() - began)  # a request's tokens each second


async def test_it_holds_while_requests_use_more_or_less_than_they_reserved(server: RedisServer) -> None:
    limits = Limits(tokens_per_minute=600_000)
    machines = [Machine(server.url, f"m{number}", limits) for number in range(3)]
    chance, used, debts, refused = random.Random(1), 0, 0, 0
    async with running(*machines):

        async def one(machine: Machine) -> None:
            nonlocal used, debts, refused
            await trio.sleep(chance.random())
            try:
                admission = await taken(machine, 10_000)
            except RateLimitExceeded:
                refused += 1
                return
            await trio.sleep(chance.random() / 20)
            tokens = chance.choice((0, 2_000, 10_000, 11_000))
            admission.settle(tokens, trio.current_time())
            admission.end()
            used += tokens
            debts += max(0, tokens - 10_000)

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(300):
                nursery.start_soon(one, machines[number % 3])
        granted = 600_000 + 10_000 * (trio.current_time() - began)
        assert used <= granted + debts
        assert refused > 0


async def test_a_request_that_ends_before_its_tokens_are_known_counts_as_one(server: RedisServer) -> None:
    limits = Limits(requests_per_minute=10, tokens_per_minute=1_000_000)
    one, two = Machine(server.url, "one", limits), Machine(server.url, "two", limits)
    async with running(one, two):
        await taken(two, 1)
        for _ in range(4):
            (await one.admit()).end()
        await taken(one, 1)
        assert one.headers()["x-ratelimit-remaining-requests"] == "4"
        (await one.admit()).end()
        await until(lambda: 3.0 <= float(server.ask("HGET", one.limits._bucket(_digest()), "r")) < 3.5)
        await passing(two.admit, 3)


async def test_a_refused_request_takes_no_place_and_no_tokens(server: RedisServer) -> None:
    machine = Machine(server.url, "one", Limits(tokens_per_minute=100_000, concurrent_requests=2))
    async with running(machine):
        first = await taken(machine, 60_000)
        second = await machine.admit()
        with pytest.raises(RateLimitExceeded, match="tokens per minute"):
            await reserved(second, 60_000)
        assert server.ask("ZCARD", machine.limits._places(_digest())) == 1
        with pytest.raises(RateLimitExceeded, match="at most 2 concurrent"):
            await machine.admit()  # the second one has not ended yet
        second.end()
        await taken(machine, 40_000)
        first.end()


async def test_a_request_whose_client_leaves_while_the_store_is_asked_keeps_no_place(server: RedisServer) -> None:
    machine = Machine(server.url, "one", Limits(concurrent_requests=1))
    async with running(machine):
        await _told(machine)  # the store knows the script
        with trio.CancelScope() as leaving:
            leaving.cancel()
            await machine.admit()
        assert leaving.cancelled_caught
        await until(lambda: server.ask("EXISTS", machine.limits._places(_digest())) == 0)
        await machine.admit()


async def test_without_the_store_each_grants_its_share_of_the_tokens(server: RedisServer) -> None:
    limits = Limits(requests_per_minute=100, tokens_per_minute=1_000_000)
    machine = Machine(server.url, "one", limits, local_share=0.25)
    async with running(machine):
        await taken(machine, 1_000)
        begun = await machine.admit()
        server.stop()
        await until(lambda: machine.store.away_since is not None)
        with pytest.raises(RateLimitExceeded, match="tokens per minute"):
            await taken(machine, 250_000)
        await reserved(begun, 200_000)
        with pytest.raises(RateLimitExceeded, match="tokens per minute"):
            await taken(machine, 100_000)


async def test_a_request_that_ended_is_reported_with_its_tokens(server: RedisServer) -> None:
    machine = Machine(server.url, "one", Limits(tokens_per_minute=1_000_000, concurrent_requests=5))
    async with running(machine):
        admission = await taken(machine, 600_000)
        admission.settle(100_000, trio.current_time())
        admission.end()
        await until(lambda: server.ask("EXISTS", machine.limits._places(_digest())) == 0)
        assert 899_000 < float(server.ask("HGET", machine.limits._bucket(_digest()), "t")) < 901_000


async def test_the_headers_say_what_is_left_over_all(server: RedisServer) -> None:
    one, two = (Machine(server.url, name, Limits(requests_per_minute=100)) for name in ("one", "two"))
    async with running(one, two):
        await passing(one.admit, 40)
        await two.admit()
        assert 59 <= int(two.headers()["x-ratelimit-remaining-requests"]) <= 60


async def test_without_the_store_each_grants_its_share_and_goes_on_from_what_it_knew(server: RedisServer) -> None:
    machine = Machine(server.url, "one", Limits(requests_per_minute=100), local_share=0.25)
    async with running(machine):
        await passing(machine.admit, 60)
        server.stop()
        await until(lambda: machine.store.away_since is not None)
        passed, refused = await passing(machine.admit, 100)
        assert 10 <= len(passed) <= 12  # a quarter of the forty that were left
        assert refused
        assert machine.headers()["x-ratelimit-limit-requests"] == "25"
        server.start()
        await until(lambda: machine.store.away_since is None)
        passed, _ = await passing(machine.admit, 200)
        assert machine.headers()["x-ratelimit-limit-requests"] == "100"
        assert len(passed) >= 100  # it came back empty


async def test_the_place_of_a_request_whose_machine_was_killed_is_given_back(server: RedisServer) -> None:
    limits = Limits(concurrent_requests=1)
    gone, here = Machine(server.url, "gone", limits), Machine(server.url, "here", limits)
    async with running(gone, here):
        await gone.admit()
        with pytest.raises(RateLimitExceeded):
            await here.admit()
        places = here.limits._places(_digest())
        left = server.ask("PTTL", places)
        assert isinstance(left, int)
        assert 0 < left <= LEASE_SECONDS * 1000
        [name] = server.ask("ZRANGE", places, "0", "-1")  # type: ignore[misc]
        server.ask("ZADD", places, "1", name.decode())  # its lease is over
        await here.admit()


@pytest.mark.parametrize("asked", [False, True], ids=["ended meanwhile", "asked meanwhile"])
async def test_no_place_stays_taken_by_a_request_that_ended_while_the_store_was_silent(
    server: RedisServer, asked: bool
) -> None:
    machine = Machine(server.url, "one", Limits(concurrent_requests=1), local_share=1.0, patience=0.5)
    places = machine.limits._places(_digest())
    async with running(machine):
        admission = await machine.admit()
        if asked:
            admission.end()
            await until(lambda: server.ask("ZCARD", places) == 0)
            server.pause()
            admission = await machine.admit()
        else:
            server.pause()
            with pytest.raises(StoreAwayError):
                await machine.store.call("PING")
        admission.end()
        await trio.sleep(RETRY_SECONDS / 2)  # its end is reported, in vain
        server.go_on()
        with trio.fail_after(LEASE_SECONDS / 2):
            await until(lambda: machine.store.away_since is None and server.ask("ZCARD", places) == 0)
        (await machine.admit()).end()


async def test_requests_under_way_have_their_places_in_a_store_that_comes_back_empty(server: RedisServer) -> None:
    limits = Limits(concurrent_requests=1)
    one, two = Machine(server.url, "one", limits), Machine(server.url, "two", limits)
    async with running(one, two):
        await one.admit()
        server.stop()
        await until(lambda: None not in (one.store.away_since, two.store.away_since))
        server.start()
        await until(lambda: one.store.away_since is None and two.store.away_since is None)
        await until(lambda: server.ask("ZCARD", one.limits._places(_digest())) == 1)
        with pytest.raises(RateLimitExceeded):
            await two.admit()


async def test_no_command_names_more_requests_than_it_may(server: RedisServer) -> None:
    machine = Machine(server.url, "one", Limits(concurrent_requests=3 * MEMBERS_MAX))
    async with running(machine):
        passed, _ = await passing(machine.admit, 2 * MEMBERS_MAX + 1)
        places = machine.limits._places(_digest())
        await until(lambda: server.ask("ZCARD", places) == len(passed) == 2 * MEMBERS_MAX + 1)
        for admission in passed:
            admission.end()
        await until(lambda: server.ask("ZCARD", places) == 0)
        told = server.ask("INFO", "commandstats")
        assert isinstance(told, bytes)
        assert b"cmdstat_zrem:calls=3," in told


async def test_who_has_no_limit_asks_nobody(server: RedisServer) -> None:
    machine = Machine(server.url, "one", Limits())
    async with running(machine):
        await passing(machine.admit, 10)
        assert server.ask("KEYS", "*") == []


async def test_the_store_keeps_no_bucket_that_is_full_again(server: RedisServer) -> None:
    machine = Machine(server.url, "one", Limits(requests_per_minute=60))
    async with running(machine):
        await machine.admit()
        left = server.ask("PTTL", machine.limits._bucket(_digest()))
        assert isinstance(left, int)
        assert 0 < left <= 2000


def _digest() -> str:
    return token_digest("cgw-false-1").hex()


async def _told(machine: Machine) -> dict[str, str]:
    (await taken(machine, 0)).end()
    return machine.headers()
