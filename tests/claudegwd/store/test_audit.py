"""Who changed what: written at once, in order, and never more than so many."""

from __future__ import annotations

import os
import pwd
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import trio
import trio.testing

from claudegwd.store.audit import PENDING_MAX, ROWS_MAX, Audit, AuditEntry, add_changes, last_changes
from claudegwd.store.database import Database

NOW = 1_700_000_000.0


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    with closing(Database(tmp_path / "state.db")) as database:
        yield database


async def test_what_was_noted_is_there_with_the_users_name(database: Database) -> None:
    audit = Audit(database, lambda: NOW)
    audit.note(os.getuid(), 42, "key status changed", {"key": "a", "before": "active", "after": "disabled"})
    audit.note(None, None, "keys rotated", {})
    audit.note(2**31 - 7, 43, "client revoked", {"client": "laptop"})
    first, second, third = await audit.rows(10)
    assert first == {
        "at": NOW, "uid": os.getuid(), "pid": 42, "user": pwd.getpwuid(os.getuid()).pw_name,
        "what": "key status changed", "fields": {"key": "a", "before": "active", "after": "disabled"},
    }  # fmt: skip
    assert (second["uid"], second["user"]) == (None, "")
    assert (third["uid"], third["user"]) == (2**31 - 7, ""), "a user who is gone"
    assert [row["what"] for row in await audit.rows(1)] == ["client revoked"]


async def test_it_is_written_at_once_and_at_the_end(database: Database, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db")) as other:
        async with trio.open_nursery() as nursery:
            audit = Audit(database)
            nursery.start_soon(audit.run)
            audit.note(1, 2, "one", {})
            with trio.fail_after(5):
                while other.execute("SELECT count(*) FROM audit").fetchone() != (1,):
                    await trio.sleep(0.01)
            await trio.testing.wait_all_tasks_blocked()
            audit.note(1, 2, "two", {})
            nursery.cancel_scope.cancel()
        assert other.execute("SELECT what FROM audit ORDER BY id").fetchall() == [("one",), ("two",)]


async def test_the_oldest_are_forgotten(database: Database) -> None:
    changes = [AuditEntry(NOW, 1, 2, "", str(number), {}) for number in range(ROWS_MAX + 5)]
    await database.run(add_changes, changes[:7])
    await database.run(add_changes, changes[7:])
    found = await database.run(last_changes, 2 * ROWS_MAX)
    assert (len(found), found[0].what, found[-1].what) == (ROWS_MAX, "5", str(ROWS_MAX + 4))


async def test_a_full_disk_is_told_once_and_nothing_is_lost_that_can_be_kept(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "claudegwd")
    pages = database.run_blocking(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    database._connection.execute(f"PRAGMA max_page_count = {pages}")
    audit = Audit(database)
    for number in range(PENDING_MAX + 7):
        audit.note(1, 2, f"{number} {'x' * 100}", {})
    assert not await audit.flush()
    assert not await audit.flush()
    assert len(caplog.records) == 1
    assert [row["what"].split()[0] for row in await audit.rows(2)] == [str(PENDING_MAX + number) for number in (5, 6)]
    assert await audit.rows(0) == []
    database._connection.execute("PRAGMA max_page_count = 65536")
    found = await audit.rows(ROWS_MAX)
    assert (len(found), found[0]["what"].split()[0]) == (PENDING_MAX, "7")


async def test_who_reads_sees_what_is_just_being_written(database: Database) -> None:
    audit = Audit(database)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(audit.run)
        for number in range(20):
            audit.note(os.getuid(), 2, str(number), {})
            await trio.lowlevel.checkpoint()  # the task begins to write
            assert [row["what"] for row in await audit.rows(1)] == [str(number)]
        nursery.cancel_scope.cancel()
    assert [row["what"] for row in await audit.rows(20)] == list(map(str, range(20)))
