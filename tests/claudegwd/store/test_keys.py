"""Key states on disk: at once, once a second, and after kill -9."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
import trio.testing

from claudegwd.keys.entry import RememberedKey
from claudegwd.keys.failures import FailureKind
from claudegwd.keys.key import UpstreamKey
from claudegwd.keys.ring import KeyRing
from claudegwd.keys.states import KeyState
from claudegwd.store.database import Database
from claudegwd.store.keys import ROWS_MAX, KeyMemory, load_key_rows, save_key_rows

NOW = 1_700_000_000.0
FULL = RememberedKey("a", "d", KeyState.COOLING, NOW + 5, 2, 3, 4, 5, "rate_limit 429", NOW, NOW + 1, {"opus": NOW + 9})


def a_ring() -> KeyRing:
    return KeyRing([UpstreamKey(name, f"sk-false-{name}") for name in "abc"], cooldown_seconds=60)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "state.db")
    yield database
    database.close()


async def states(database: Database) -> dict[str, KeyState]:
    return {row.name: row.state for row in await database.run(load_key_rows)}


async def written(database: Database, name: str, state: KeyState) -> None:
    """Return once the disk says so; the test's own time limit ends it otherwise."""
    with trio.fail_after(10):
        while (await states(database)).get(name) is not state:
            await trio.lowlevel.checkpoint()


async def test_rows_come_back_as_they_were(database: Database) -> None:
    await database.run(save_key_rows, [FULL], NOW)
    assert await database.run(load_key_rows) == [FULL]


async def test_a_row_that_cannot_be_understood_is_left_out(database: Database) -> None:
    other = RememberedKey("b", "d", KeyState.INVALID)
    await database.run(save_key_rows, [FULL, other], NOW)
    await database.run(lambda c: c.execute("UPDATE keys SET state = 'resting' WHERE name = 'a'").rowcount)
    assert await database.run(load_key_rows) == [other]
    await database.run(lambda c: c.execute("UPDATE keys SET forbidden = '[]' WHERE name = 'b'").rowcount)
    assert await database.run(load_key_rows) == []


async def test_rows_are_bounded(database: Database) -> None:
    rows = [RememberedKey(f"k{n}", "d", KeyState.READY) for n in range(ROWS_MAX + 5)]
    await database.run(save_key_rows, rows[5:], NOW)
    await database.run(save_key_rows, rows[:5], NOW - 1)
    loaded = await database.run(load_key_rows)
    assert {row.name for row in loaded} == {row.name for row in rows[5:]}


async def test_no_token_reaches_the_disk(database: Database, tmp_path: Path) -> None:
    memory = KeyMemory(database, a_ring())
    await memory.flush()
    await database.run(lambda c: c.execute("SELECT count(*) FROM keys").fetchone())
    assert all(b"sk-false" not in file.read_bytes() for file in tmp_path.iterdir())


async def test_a_change_of_state_is_written_at_once(database: Database) -> None:
    ring = a_ring()
    memory = KeyMemory(database, ring, lambda: NOW)
    ring.on_change = memory.note
    async with trio.open_nursery() as nursery:
        nursery.start_soon(memory.run)
        ring.failed("a", FailureKind.AUTHENTICATION, NOW)
        started = trio.current_time()
        await written(database, "a", KeyState.INVALID)
        assert trio.current_time() - started < 0.9
        nursery.cancel_scope.cancel()


async def test_counters_wait_a_second_and_are_written_together(
    database: Database, autojump_clock: trio.testing.MockClock
) -> None:
    ring = a_ring()
    memory = KeyMemory(database, ring, lambda: NOW)
    ring.on_change = memory.note
    async with trio.open_nursery() as nursery:
        nursery.start_soon(memory.run)
        for _ in range(100):
            ring.succeeded("a", NOW, 2)
        await trio.testing.wait_all_tasks_blocked()
        assert await states(database) == {}
        await trio.sleep(1.5)
        while not (rows := await database.run(load_key_rows)):
            await trio.lowlevel.checkpoint()
        assert {row.name: row.tokens for row in rows} == {"a": 200, "b": 0, "c": 0}
        nursery.cancel_scope.cancel()


async def test_the_last_counters_are_written_when_stopping(database: Database) -> None:
    ring = a_ring()
    memory = KeyMemory(database, ring, lambda: NOW)
    ring.on_change = memory.note
    async with trio.open_nursery() as nursery:
        nursery.start_soon(memory.run)
        ring.succeeded("a", NOW, 7)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert {row.tokens for row in await database.run(load_key_rows)} == {7, 0}


async def test_load_tells_the_ring(database: Database) -> None:
    before = a_ring()
    before.failed("a", FailureKind.AUTHENTICATION, NOW)
    before.failed("b", FailureKind.RATE_LIMIT, NOW)
    await KeyMemory(database, before, lambda: NOW).flush()
    after = a_ring()
    await KeyMemory(database, after, lambda: NOW).load()
    assert after.snapshot(NOW) == before.snapshot(NOW)


async def test_a_disk_that_fails_is_said_once_and_tried_again(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "claudegwd")
    ring = a_ring()
    memory = KeyMemory(database, ring, lambda: NOW)
    await database.run(lambda c: c.execute("ALTER TABLE keys RENAME TO away").rowcount)
    assert [await memory.flush(), await memory.flush()] == [False, False]
    await memory.load()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    await database.run(lambda c: c.execute("ALTER TABLE away RENAME TO keys").rowcount)
    assert await memory.flush()
    assert len(await states(database)) == 3
    assert caplog.records[-1].levelname == "INFO"


async def test_a_key_that_was_removed_is_not_held_in_memory(database: Database) -> None:
    """Seen by what is written when it returns: a row that is still held would not be written again."""
    ring = a_ring()
    memory = KeyMemory(database, ring, lambda: NOW)
    await memory.flush()
    keys = [UpstreamKey(name, f"sk-false-{name}") for name in "abc"]
    ring.replace(keys[:2], NOW)
    await memory.flush()
    await database.run(lambda c: c.execute("DELETE FROM keys").rowcount)
    ring.replace(keys, NOW)
    await memory.flush()
    assert list(await states(database)) == ["c"]


async def test_a_new_file_gets_everything(database: Database) -> None:
    ring = a_ring()
    memory = KeyMemory(database, ring, lambda: NOW)
    await memory.flush()
    assert database.path is not None
    ring.failed("a", FailureKind.AUTHENTICATION, NOW)
    calls = []

    def break_once(connection: sqlite3.Connection) -> None:
        calls.append(connection)
        if len(calls) == 1:
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error

    await database.run(break_once)
    assert await states(database) == {}
    await memory.flush()
    assert await states(database) == {"a": KeyState.INVALID, "b": KeyState.ACTIVE, "c": KeyState.READY}


CHILD = """
import os, signal, sys, trio
from pathlib import Path
from claudegwd.keys.failures import FailureKind
from claudegwd.keys.key import UpstreamKey
from claudegwd.keys.ring import KeyRing
from claudegwd.store.database import Database
from claudegwd.store.keys import KeyMemory

async def main():
    ring = KeyRing([UpstreamKey(n, "sk-false-" + n) for n in "abc"], cooldown_seconds=60)
    memory = KeyMemory(Database(Path(sys.argv[1])), ring, lambda: 1_700_000_000.0)
    ring.on_change = memory.note
    async with trio.open_nursery() as nursery:
        nursery.start_soon(memory.run)
        ring.failed("a", FailureKind.AUTHENTICATION, 1_700_000_000.0)
        print("failed", flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


async def test_states_survive_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, cwd=Path.cwd())
    assert child.stdout is not None
    assert await trio.to_thread.run_sync(child.stdout.readline) == b"failed\n"
    database = Database(path)
    await written(database, "a", KeyState.INVALID)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    database.close()
    ring = a_ring()
    database = Database(path)
    await KeyMemory(database, ring, lambda: NOW).load()
    choice = ring.choose(NOW, model="sonnet")
    assert isinstance(choice, UpstreamKey)
    assert choice.name == "b"
    database.close()
