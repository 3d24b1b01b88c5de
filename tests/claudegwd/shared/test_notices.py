"""Notices of several machines with one store: a real program is told, and writes down what."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from claudegwd.config.schema import NotifyConfig
from claudegwd.keys.answers import ENVIRONMENT
from claudegwd.limits.budget import read_budgets
from claudegwd.notify.notice import Notice, NoticeEvent, of_budget, of_cli, of_window
from claudegwd.notify.notifications import Notifications
from claudegwd.shared.notices import SAME_SECONDS, SharedNotices
from claudegwd.store.database import Database
from tests.redis_server import RedisServer, needs_redis
from tests.shared_stores import connected, store_of, until

pytestmark = needs_redis

NOW = 1_800_000_000.0
[BUDGET] = read_budgets("1usd/day")


class Machine:
    def __init__(self, server: RedisServer, directory: Path, name: str, *, tells: bool = True) -> None:
        self.store = store_of(server.url, name)
        self.notifications = Notifications(Database(None), {"PATH": "/usr/bin:/bin"}, name, lambda: NOW)
        self.notifications.claim = SharedNotices(self.store).claim
        command = ("/bin/sh", "-c", f"cat >> {directory}/told")
        self.notifications.configure(NotifyConfig(command=command if tells else ""))


@asynccontextmanager
async def running(*machines: Machine) -> AsyncIterator[None]:
    async with connected(*(machine.store for machine in machines)) as nursery:
        for machine in machines:
            nursery.start_soon(machine.notifications.run)
        yield


def told(directory: Path) -> list[tuple[str, str]]:
    """Of what and by whom, in order."""
    file = directory / "told"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(said["event"], said["host"]) for said in map(json.loads, lines)]


def dead(subject: str = "work", at: float = NOW) -> Notice:
    return Notice(NoticeEvent.KEY_INVALID, at, subject, "it died", everywhere=True)


async def test_one_machine_tells_what_is_the_same_on_all(server: RedisServer, tmp_path: Path) -> None:
    machines = [Machine(server, tmp_path, f"m{number}") for number in range(3)]
    async with running(*machines):
        for machine in machines:
            for notice in (
                dead(),
                of_budget("ann", BUDGET, NOW + 3600, NOW),
                of_window("work", "week", 0.9, None, NOW),
            ):
                machine.notifications.tell(notice)
        await until(lambda: len(told(tmp_path)) == 3)
        machines[0].notifications.tell(dead("home"))
        await until(lambda: len(told(tmp_path)) == 4)  # and none of the others between
        assert sorted(event for event, _ in told(tmp_path)) == [
            "budget_reached", "key_invalid", "key_invalid", "window_full",
        ]  # fmt: skip


async def test_what_is_a_machines_own_each_tells(server: RedisServer, tmp_path: Path) -> None:
    machines = [Machine(server, tmp_path, f"m{number}") for number in range(2)]
    async with running(*machines):
        for machine in machines:
            machine.notifications.tell(of_cli(NOW))
            machine.notifications.tell(of_window(ENVIRONMENT, "week", 0.9, None, NOW))
        await until(lambda: len(told(tmp_path)) == 4)


async def test_who_tells_nobody_takes_it_from_nobody(server: RedisServer, tmp_path: Path) -> None:
    silent, other = Machine(server, tmp_path, "silent", tells=False), Machine(server, tmp_path, "other")
    async with running(silent, other):
        silent.notifications.tell(dead())
        other.notifications.tell(dead())
        await until(lambda: told(tmp_path) == [("key_invalid", "other")])


async def test_the_same_again_is_told_by_who_has_told_it_as_on_one_machine(server: RedisServer, tmp_path: Path) -> None:
    one = Machine(server, tmp_path, "one")
    async with running(one):
        for number in range(2):
            one.notifications.tell(dead(at=NOW + number))
        await until(lambda: len(told(tmp_path)) == 2)


async def test_the_store_knows_it_for_as_long_as_it_is_the_same(server: RedisServer, tmp_path: Path) -> None:
    one = Machine(server, tmp_path, "one")
    async with running(one):
        one.notifications.tell(dead())
        await until(lambda: len(told(tmp_path)) == 1)
        name = only_key(server)
        left = server.ask("PTTL", name)
        assert isinstance(left, int)
        assert 0 < left <= SAME_SECONDS * 1000
        server.ask("DEL", name)
        one.notifications.tell(of_budget("ann", BUDGET, NOW + 3600, NOW))
        await until(lambda: len(told(tmp_path)) == 2)
        name = only_key(server)
        left = server.ask("PTTL", name)
        assert isinstance(left, int)
        assert SAME_SECONDS * 1000 < left <= 3600 * 1000
        assert "ann" not in name


def only_key(server: RedisServer) -> str:
    found = server.ask("KEYS", "claudegwd:told:*")
    assert isinstance(found, list)
    [name] = found
    return str(name.decode())


async def test_while_the_store_is_away_each_tells_and_what_waits_at_the_end_is_told(
    server: RedisServer, tmp_path: Path
) -> None:
    machines = [Machine(server, tmp_path, f"m{number}") for number in range(2)]
    async with running(*machines):
        server.stop()
        await until(lambda: all(machine.store.away_since is not None for machine in machines))
        for machine in machines:
            machine.notifications.tell(dead())
    assert len(told(tmp_path)) == 2
