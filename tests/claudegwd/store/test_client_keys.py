"""Creating and revoking clients so that it lasts."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from claudegwd.limits.clients import ClientRefused, UnknownClient
from claudegwd.limits.meter import Limits
from claudegwd.openai_api.errors import AuthenticationFailed
from claudegwd.store.client_keys import TOTALS_SECONDS, ClientKeys
from claudegwd.store.database import Database, StateError
from claudegwd.store.projects import Project, create_project, get_project

NOW = 1_700_000_000.0
DEFAULT = Limits(requests_per_minute=100)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(path)
    yield database
    database.close()


async def reloaded(path: Path) -> ClientKeys:
    return await ClientKeys.load(Database(path), DEFAULT)


async def test_a_new_client_comes_in_also_after_a_restart(database: Database, path: Path) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    token = await keys.create("a", models=["sonnet"], tokens_per_minute=50)
    for each in (keys, await reloaded(path)):
        client = each.book.authenticate(token, NOW)
        assert (client.name, client.models, client.limits(DEFAULT)) == ("a", ("sonnet",), Limits(100, 50, 0))


async def test_the_key_is_on_no_disk_and_in_no_row(database: Database, path: Path) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    token = await keys.create("a")
    assert all(token.encode() not in file.read_bytes() for file in path.parent.iterdir())
    (row,) = await keys.rows()
    assert token not in str(row)
    assert (row["name"], row["requests_per_minute"], row["source"]) == ("a", 100, "clients")


async def test_revoked_stays_revoked(database: Database, path: Path) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    token = await keys.create("a")
    ended = []
    with keys.book.under_way(keys.book.get("a"), lambda: ended.append("a")):
        await keys.revoke("a")
    assert ended == ["a"]
    for each in (keys, await reloaded(path)):
        with pytest.raises(AuthenticationFailed, match="revoked"):
            each.book.authenticate(token, NOW)


async def test_refusals_are_what_the_control_face_expects(database: Database) -> None:
    keys = await ClientKeys.load(database, DEFAULT, ["sk-false-1"])
    await keys.create("a")
    with pytest.raises(ClientRefused):
        await keys.create("a")
    with pytest.raises(ClientRefused):
        await keys.create("no name")
    for name in ("gone", "api-key-1"):
        with pytest.raises(UnknownClient):
            await keys.revoke(name)
    assert [row["source"] for row in await keys.rows()] == ["clients", "API_KEYS"]


async def test_totals_are_written_every_few_seconds_and_at_the_end(
    database: Database, path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    keys = await ClientKeys.load(database, DEFAULT, ["sk-false-1"])
    await keys.create("a")

    async def tokens_on_disk() -> int:
        return (await reloaded(path)).book.rows()[0][1].tokens

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keys.run)
        keys.book.used(keys.book.get("a"), 10, NOW)
        keys.book.used(keys.book.get("api-key-1"), 10, NOW)
        await trio.sleep(TOTALS_SECONDS + 1)
        while await tokens_on_disk() != 10:
            await trio.lowlevel.checkpoint()
        keys.book.used(keys.book.get("a"), 5, NOW)
        nursery.cancel_scope.cancel()
    assert await tokens_on_disk() == 15


async def test_a_disk_that_fails(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    token = await keys.create("a")
    await database.run(lambda c: c.execute("ALTER TABLE clients RENAME TO away").rowcount)
    with pytest.raises(StateError, match="cannot create client 'b'"):
        await keys.create("b")
    with pytest.raises(StateError, match="a restart before that"):
        await keys.revoke("a")
    with pytest.raises(AuthenticationFailed, match="revoked"):
        keys.book.authenticate(token, NOW)
    keys.book.used(keys.book.get("a"), 1, NOW)
    await keys.flush()
    assert len(caplog.records) == 1
    await database.run(lambda c: c.execute("ALTER TABLE away RENAME TO clients").rowcount)
    await keys.create("b")


async def test_totals_that_could_not_be_written_are_tried_again(database: Database, path: Path) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    await keys.create("a")
    keys.book.used(keys.book.get("a"), 10, NOW)
    await database.run(lambda c: c.execute("ALTER TABLE clients RENAME TO away").rowcount)
    await keys.flush()
    await database.run(lambda c: c.execute("ALTER TABLE away RENAME TO clients").rowcount)
    with trio.CancelScope() as scope:
        scope.cancel()
        await keys.flush()
    await keys.flush()
    assert (await reloaded(path)).book.rows()[0][1].tokens == 10


@pytest.mark.parametrize("end", ["revoke", "remove"])
async def test_who_was_shut_out_during_a_full_disk_stays_out(
    database: Database, path: Path, autojump_clock: trio.testing.MockClock, end: str
) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    token = await keys.create("a")
    await database.run(lambda c: c.execute("ALTER TABLE clients RENAME TO away").rowcount)
    with pytest.raises(StateError):
        await getattr(keys, end)("a")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keys.run)
        await trio.sleep(3 * TOTALS_SECONDS)
        await database.run(lambda c: c.execute("ALTER TABLE away RENAME TO clients").rowcount)
        while keys._owed:  # the clock does not wait for the thread that writes
            await trio.sleep(TOTALS_SECONDS)
        with pytest.raises(AuthenticationFailed):
            (await reloaded(path)).book.authenticate(token, NOW)
        nursery.cancel_scope.cancel()


async def test_a_name_that_is_used_again_is_somebody_else(database: Database, path: Path) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    old = await keys.create("a")
    owner = keys.book.get("a").owner
    await database.run(create_project, owner, Project("p", "secret plans", None, None, NOW, NOW))
    await keys.remove("a")
    await keys.create("a")
    for each in (keys, await reloaded(path)):
        assert each.book.get("a").owner != owner
        with pytest.raises(AuthenticationFailed):
            each.book.authenticate(old, NOW)
    assert await database.run(get_project, owner, "p") is None


async def test_another_key_for_the_same_client(database: Database, path: Path) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    old = await keys.create("a", models=["sonnet"])
    owner = keys.book.get("a").owner
    new = await keys.rotate("a")
    await keys.set("a", {"models": (), "expires": NOW * 2})
    for each in (keys, await reloaded(path)):
        client = each.book.authenticate(new, NOW)
        assert (client.owner, client.models, client.expires) == (owner, (), NOW * 2)
        with pytest.raises(AuthenticationFailed):
            each.book.authenticate(old, NOW)
    await keys.revoke("a")
    with pytest.raises(ClientRefused, match="revoked"):
        await keys.rotate("a")
    assert [row["state"] for row in await keys.rows()] == ["revoked"]


async def test_a_new_file_gets_every_client(database: Database, path: Path) -> None:
    keys = await ClientKeys.load(database, DEFAULT, ["sk-false-1"])
    token = await keys.create("a")
    calls = []

    def break_once(connection: sqlite3.Connection) -> None:
        calls.append(connection)
        if len(calls) == 1:
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error

    await database.run(break_once)
    await keys.create("b")
    after = await reloaded(path)
    assert [client.name for client, _ in after.book.rows()] == ["a", "b"]
    assert after.book.authenticate(token, NOW).name == "a"


def broken(_: sqlite3.Connection, calls: list[int]) -> None:
    calls.append(1)
    if len(calls) == 1:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


async def test_a_new_file_gets_every_client_even_if_none_of_them_is_active(database: Database, path: Path) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    token = await keys.create("a")
    await database.run(broken, [])
    await database.run(lambda c: c.execute("ALTER TABLE clients RENAME TO away").rowcount)
    await keys.flush()
    await database.run(lambda c: c.execute("ALTER TABLE away RENAME TO clients").rowcount)
    await keys.flush()
    assert (await reloaded(path)).book.authenticate(token, NOW).name == "a"


async def test_a_change_that_finds_the_file_broken_is_in_the_new_one(database: Database, path: Path) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    old = await keys.create("a")
    await database.run(broken, [])
    new = await keys.rotate("a")
    after = await reloaded(path)
    assert after.book.authenticate(new, NOW).name == "a"
    with pytest.raises(AuthenticationFailed):
        after.book.authenticate(old, NOW)


async def test_a_client_that_is_removed_as_soon_as_it_is_there_stays_removed(database: Database, path: Path) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    tokens: list[str] = []

    async def create() -> None:
        with suppress(ClientRefused):
            tokens.append(await keys.create("a"))

    async def remove() -> None:
        with suppress(UnknownClient):
            await keys.remove("a")

    for _ in range(20):
        async with trio.open_nursery() as nursery:
            for step in (create, remove, create, remove):
                nursery.start_soon(step)
                await trio.lowlevel.checkpoint()
        await remove()
    assert tokens
    for each in (keys, await reloaded(path)):
        assert each.book.rows() == []


@pytest.mark.parametrize("what", ["create", "revoke", "remove"])
async def test_a_change_whose_caller_leaves_is_made_completely(database: Database, path: Path, what: str) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    if what != "create":
        await keys.create("a")
    changed: list[str] = []
    keys.on_change = changed.append
    gate, scope = threading.Event(), trio.CancelScope()

    async def change() -> None:
        with scope:
            await getattr(keys, what)("a")
            changed.append("returned")  # so the caller reports it

    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.run, lambda _: gate.wait())
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(change)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        gate.set()
    assert changed[1:] == ["returned"]
    here, after = (
        [(client.digest, client.revoked) for client, _ in each.book.rows()] for each in (keys, await reloaded(path))
    )
    assert here == after
    assert len(here) == (what != "remove")


async def test_a_late_change_of_a_removed_client_does_not_reach_its_successor(database: Database, path: Path) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    old, new, gate = await keys.create("a"), [], threading.Event()

    async def change() -> None:
        with pytest.raises(UnknownClient):
            await keys.set("a", {"requests_per_minute": 7})

    async def create() -> None:
        new.append(await keys.create("a"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.run, lambda _: gate.wait())
        for step in (change, partial(keys.remove, "a"), create):
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(step)
        await trio.testing.wait_all_tasks_blocked()
        gate.set()
    for each in (keys, await reloaded(path)):
        assert each.book.authenticate(new[0], NOW).limits(DEFAULT) == DEFAULT
        with pytest.raises(AuthenticationFailed):
            each.book.authenticate(old, NOW)


async def test_a_key_that_would_be_gone_after_a_restart_is_not_given_out() -> None:
    keys = await ClientKeys.load(Database(None, "cannot use the state file x: check its owner"), DEFAULT)
    with pytest.raises(StateError, match="check its owner"):
        await keys.create("a")
    assert await keys.rows() == []


async def test_changes_made_at_once_undo_none_of_each_other(database: Database, path: Path) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    old = await keys.create("a")
    new: list[str] = []

    async def rotate() -> None:
        new.append(await keys.rotate("a"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keys.set, "a", {"requests_per_minute": 7})
        nursery.start_soon(keys.set, "a", {"tokens_per_minute": 8})
        nursery.start_soon(rotate)
    for each in (keys, await reloaded(path)):
        assert each.book.authenticate(new[0], NOW).limits(DEFAULT) == Limits(7, 8, 0)
        with pytest.raises(AuthenticationFailed):
            each.book.authenticate(old, NOW)


async def test_what_was_removed_is_known_over_a_restart_and_never_learned_again(database: Database, path: Path) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    token = await keys.create("a")
    (record,) = keys.records().values()
    await keys.remove("a")
    again = await reloaded(path)
    assert await again.learn(record) == again.removed[record.owner]
    with pytest.raises(AuthenticationFailed):
        again.book.authenticate(token, NOW)


async def test_what_is_learned_of_another_of_the_same_name_is_not_taken(database: Database) -> None:
    keys = await ClientKeys.load(database, DEFAULT)
    token = await keys.create("a")
    (record,) = keys.records().values()
    other = msgspec.structs.replace(record, owner="a#other", digest=bytes(32))
    with pytest.raises(ClientRefused, match="exists here"):
        await keys.learn(other)
    await keys.learn(msgspec.structs.replace(other, removed=True))  # that one is gone, not ours
    assert keys.book.authenticate(token, NOW).owner == record.owner


async def test_a_change_is_later_than_what_a_clock_ahead_has_said(database: Database) -> None:
    keys = ClientKeys(database, (await ClientKeys.load(database, DEFAULT)).book, clock=lambda: 5.0)
    await keys.create("a")
    (record,) = keys.records().values()
    await keys.learn(msgspec.structs.replace(record, changed=9.0, tokens_per_minute=1))
    await keys.set("a", {"tokens_per_minute": 2})
    (changed,) = keys.records().values()
    assert (changed.tokens_per_minute, changed.changed > 9.0) == (2, True)
