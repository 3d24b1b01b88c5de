"""Two machines with the same upstream keys and one store: what one learns, the other knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from claudegwd.keys.answers import RingChange
from claudegwd.keys.failures import FailureKind
from claudegwd.keys.key import KeyStatus, UpstreamKey
from claudegwd.keys.news import TOLD, KeyNews
from claudegwd.keys.ring import KeyRing
from claudegwd.shared.key_states import SharedKeyStates
from tests.redis_server import RedisServer, needs_redis
from tests.shared_stores import PATIENCE_SECONDS, store_of, until

pytestmark = needs_redis

KEYS = [UpstreamKey("home", "sk-false-1"), UpstreamKey("work", "sk-false-2")]
# The same tokens, by other names and in another order.
OTHERS = [UpstreamKey("b", "sk-false-2"), UpstreamKey("a", "sk-false-1")]
NOW = 1_800_000_000.0


class Clock:
    """The wall clock of all machines."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Machine:
    def __init__(self, url: str, name: str, keys: list[UpstreamKey], clock: Clock) -> None:
        self.clock = clock
        self.ring = KeyRing(keys, cooldown_seconds=60)
        self.store = store_of(url, name)
        self.states = SharedKeyStates(self.store, self.ring, clock)
        self.ring.on_change = self.states.note
        self.news: list[KeyNews] = []
        self.ring.on_news = self.news.append

    def state(self, name: str) -> str:
        return str({row["name"]: row["state"] for row in self.ring.snapshot(self.clock.now)}[name])

    def fail(self, name: str, kind: FailureKind, reset_at: float | None = None) -> None:
        self.ring.failed(name, kind, self.clock.now, reset_at=reset_at, error=f"{kind.value} 4xx")


@asynccontextmanager
async def machines(server: RedisServer, other: Clock | None = None) -> AsyncIterator[tuple[Machine, Machine]]:
    clock = Clock()
    one, two = Machine(server.url, "one", KEYS, clock), Machine(server.url, "two", OTHERS, other or clock)
    async with trio.open_nursery() as nursery:
        for machine in (one, two):
            await nursery.start(machine.store.run)
            nursery.start_soon(machine.states.run)
        channel = one.store.channel("keys").decode()
        with trio.fail_after(PATIENCE_SECONDS):
            await until(lambda: server.ask("PUBSUB", "NUMSUB", channel)[1] == 2)  # type: ignore[index]
        yield one, two
        nursery.cancel_scope.cancel()


async def test_one_is_refused_and_all_know(server: RedisServer) -> None:
    async with machines(server) as (one, two):
        one.fail("home", FailureKind.AUTHENTICATION)
        await until(lambda: two.state("a") == "invalid")
        assert two.state("b") == "active"
        [row] = [row for row in two.ring.snapshot(NOW) if row["name"] == "a"]
        assert row["last_error"] == "reported by one"
        # The machine that was told tells nobody: the other one has.
        assert {news.reason for news in two.news if news.name == "a"} == {TOLD}


async def test_a_limit_ends_at_the_same_time_for_all(server: RedisServer) -> None:
    async with machines(server) as (one, two):
        two.fail("b", FailureKind.RATE_LIMIT, reset_at=NOW + 300)
        await until(lambda: one.state("work") == "cooling")
        one.clock.now += 299
        assert (one.state("work"), two.state("b")) == ("cooling", "cooling")
        one.clock.now += 2
        assert one.state("work") != "cooling"
        assert two.state("b") != "cooling"
        # It is over by itself, and nobody has to say so: the next limit is news again.
        one.fail("work", FailureKind.RATE_LIMIT, reset_at=one.clock.now + 50)
        await until(lambda: two.state("b") == "cooling")


async def test_spent_credit_and_a_key_that_works_again(server: RedisServer) -> None:
    async with machines(server) as (one, two):
        one.fail("home", FailureKind.BILLING)
        await until(lambda: two.state("a") == "exhausted")
        one.clock.now += 10
        two.ring.clear("a")  # `keys test` found that it works
        await until(lambda: one.state("home") != "exhausted")


async def test_the_later_report_counts_though_the_clock_of_the_earlier_one_is_ahead(server: RedisServer) -> None:
    behind = Clock()
    behind.now -= 5
    async with machines(server, behind) as (one, two):
        one.fail("home", FailureKind.AUTHENTICATION)
        await until(lambda: two.state("a") == "invalid")
        two.ring.clear("a")
        await until(lambda: one.state("home") != "invalid")
        two.fail("a", FailureKind.AUTHENTICATION)
        await until(lambda: one.state("home") == "invalid")


async def test_keys_that_were_removed_are_forgotten_until_they_are_back(server: RedisServer) -> None:
    async with machines(server) as (one, two):
        one.fail("home", FailureKind.AUTHENTICATION)
        await until(lambda: two.state("a") == "invalid")
        two.ring.replace(OTHERS[:1], NOW)
        two.states.note(RingChange.STATE)
        await until(lambda: not two.states._known)
        two.ring.replace(OTHERS, NOW)
        two.states.note(RingChange.STATE)
        await until(lambda: two.state("a") == "invalid")


async def test_who_comes_later_is_told_what_is_known(server: RedisServer) -> None:
    async with machines(server) as (one, two):
        one.fail("home", FailureKind.AUTHENTICATION)
        await until(lambda: two.state("a") == "invalid")
        late = Machine(server.url, "three", KEYS, one.clock)
        async with trio.open_nursery() as nursery:
            await nursery.start(late.store.run)
            nursery.start_soon(late.states.run)
            await until(lambda: late.state("home") == "invalid")
            nursery.cancel_scope.cancel()


async def test_a_store_that_was_away_or_is_empty_is_told_again(server: RedisServer) -> None:
    async with machines(server) as (one, two):
        one.fail("home", FailureKind.AUTHENTICATION)
        await until(lambda: two.state("a") == "invalid")
        server.stop()
        await until(lambda: one.store.away_since is not None)
        one.clock.now += 5
        one.fail("work", FailureKind.BILLING)
        assert two.state("b") == "active"
        server.start()  # it has forgotten all
        await until(lambda: two.state("b") == "exhausted")
        await until(lambda: len(server.ask("KEYS", "claudegwd:key:*")) == 2)  # type: ignore[arg-type]


async def test_what_was_cleared_while_one_was_away_is_not_brought_back_by_it(server: RedisServer) -> None:
    clock = Clock()
    gone = Machine(server.url, "gone", KEYS, clock)
    gone.fail("home", FailureKind.AUTHENTICATION)  # it knows that from its state file
    async with machines(server) as (one, two):
        one.clock.now = clock.now = NOW + 10
        one.fail("home", FailureKind.AUTHENTICATION)
        await until(lambda: two.state("a") == "invalid")
        one.clock.now = clock.now = NOW + 20
        one.ring.clear("home")
        await until(lambda: two.state("a") != "invalid")
        async with trio.open_nursery() as nursery:
            await nursery.start(gone.store.run)
            nursery.start_soon(gone.states.run)
            await until(lambda: gone.state("home") != "invalid")
            nursery.cancel_scope.cancel()
        assert one.state("home") != "invalid"


async def test_a_key_that_is_disabled_here_says_nothing_about_it(server: RedisServer) -> None:
    async with machines(server) as (one, two):
        one.fail("home", FailureKind.AUTHENTICATION)
        await until(lambda: two.state("a") == "invalid")
        two.clock.now += 5
        disabled = UpstreamKey("a", "sk-false-1", status=KeyStatus.DISABLED)
        two.ring.replace([OTHERS[0], disabled], two.clock.now)
        two.fail("b", FailureKind.BILLING)  # after this has arrived, so has whatever else was said
        await until(lambda: one.state("work") == "exhausted")
        assert one.state("home") == "invalid"
        assert two.state("a") == "disabled"


async def test_no_token_is_in_the_store(server: RedisServer) -> None:
    async with machines(server) as (one, two):
        one.fail("home", FailureKind.AUTHENTICATION)
        await until(lambda: two.state("a") == "invalid")
        for name in server.ask("KEYS", "*"):  # type: ignore[attr-defined]
            assert b"sk-false" not in name
            assert b"sk-false" not in server.ask("GET", name.decode())  # type: ignore[operator]


async def test_strangers_are_passed_over(server: RedisServer) -> None:
    async with machines(server) as (one, two):
        server.ask("PUBLISH", one.store.channel("keys").decode(), "nonsense")
        server.ask("PUBLISH", one.store.channel("keys").decode(), '{"digest":"00","state":"invalid","at":9e9}')
        one.fail("home", FailureKind.AUTHENTICATION)
        await until(lambda: two.state("a") == "invalid")
        assert two.state("b") == "active"
