"""What chats do to their sessions."""

import sqlite3
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from claudegwd.openai_api.errors import InternalError
from claudegwd.store.chat_sessions import KNOWN_MAX, PENDING_MAX, ChatSessions, Known
from claudegwd.store.database import Database
from claudegwd.store.sessions import Session, create_session, delete_session, get_session

NOW = 1_800_000_000.0


@pytest.fixture
def database() -> Database:
    return Database(None)


@pytest.fixture
def sessions(database: Database) -> ChatSessions:
    return ChatSessions(database, lambda: NOW)


async def row(sessions: ChatSessions, client: str = "a", session_id: str = "s") -> Session | None:
    return await sessions.read(get_session, client, session_id)


async def test_a_chat_begins_a_session_and_adds_to_it(sessions: ChatSessions) -> None:
    sessions.use("a", "s", project_id="p", model="sonnet")
    begun = await row(sessions)
    assert begun == Session("s", "p", "Chat of 2027-01-15 08:00 UTC", "sonnet", None, NOW, NOW, message_count=1)
    sessions.use("a", "s", project_id="p", model="sonnet", tokens=30)
    sessions.spent("a", "s", 0.25)
    sessions.use("a", "s", project_id="p", model="opus")
    sessions.use("a", "s", project_id="p", model="opus", tokens=12)
    done = await row(sessions)
    assert done is not None
    assert (done.message_count, done.total_tokens, done.total_cost, done.model) == (4, 42, 0.25, "opus")
    assert await row(sessions, "b") is None


async def test_a_cost_that_comes_late_brings_no_deleted_session_back(sessions: ChatSessions) -> None:
    sessions.use("a", "s", project_id=None, model="sonnet")
    assert await sessions.read(delete_session, "a", "s")
    sessions.spent("a", "s", 1.0)
    assert await row(sessions) is None


async def test_what_is_known_is_looked_up_once_and_kept_within_bounds(
    sessions: ChatSessions, database: Database
) -> None:
    made = Session("s", "p", None, "sonnet", "Be brief.", NOW, NOW)
    await database.run(create_session, "a", made)
    assert await sessions.known("a", "s") == Known("p", "Be brief.")
    assert await sessions.known("b", "s") == Known()
    await database.run(delete_session, "a", "s")
    assert await sessions.known("a", "s") == Known("p", "Be brief.")
    for number in range(KNOWN_MAX):
        sessions.remember("a", f"n{number}", Known())
    assert await sessions.known("a", "s") == Known()
    sessions.remember("a", "s", Known("q"))
    assert await sessions.known("a", "s") == Known("q")
    sessions.remember("a", "s", None)
    assert await sessions.known("a", "s") == Known()


async def test_stopping_ends_what_is_under_way_in_that_session_of_that_client(sessions: ChatSessions) -> None:
    stopped: list[str] = []
    with (
        sessions.under_way("a", "s", lambda: stopped.append("first")),
        sessions.under_way("a", "s", lambda: stopped.append("second")),
        sessions.under_way("b", "s", lambda: stopped.append("another's")),
    ):
        assert sessions.running("a") == ["s"]
        assert sessions.is_running("b", "s")
        assert not sessions.is_running("a", "t")
        assert sessions.stop("a", "s")
        assert sorted(stopped) == ["first", "second"]
        assert not sessions.stop("a", "t")
    assert sessions.running("a") == []
    assert not sessions.stop("a", "s")


async def test_totals_are_written_behind_and_at_the_end(
    sessions: ChatSessions, database: Database, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sessions.run)
        sessions.use("a", "s", project_id=None, model="sonnet", tokens=1)
        await trio.sleep(0.5)
        assert await database.run(get_session, "a", "s") is None
        await trio.sleep(1.0)
        assert await database.run(get_session, "a", "s") is not None
        sessions.use("a", "s", project_id=None, model="sonnet", tokens=1)
        nursery.cancel_scope.cancel()
    last = await database.run(get_session, "a", "s")
    assert last is not None
    assert last.total_tokens == 2


async def test_a_write_that_is_cancelled_before_it_began_loses_nothing(
    sessions: ChatSessions, database: Database
) -> None:
    sessions.use("a", "s", project_id=None, model="sonnet", tokens=1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await sessions.flush()
    assert await sessions.flush()
    found = await row(sessions)
    assert found is not None
    assert (found.total_tokens, found.message_count) == (1, 1)


async def test_a_disk_that_fails_loses_nothing_and_grows_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    sessions = ChatSessions(database, lambda: NOW)
    database.run_blocking(lambda connection: connection.execute("ALTER TABLE sessions RENAME TO away"))
    sessions.use("a", "s", project_id="p", model="sonnet", tokens=1)
    assert not await sessions.flush()
    sessions.use("a", "s", project_id="p", model="sonnet", tokens=1)
    assert not await sessions.flush()
    with pytest.raises(InternalError):
        await row(sessions)
    database.run_blocking(lambda connection: connection.execute("ALTER TABLE away RENAME TO sessions"))
    found = await row(sessions)
    assert found is not None
    assert (found.total_tokens, found.message_count, found.project_id) == (2, 2, "p")
    for number in range(PENDING_MAX + 10):
        sessions.spent("a", f"n{number}", 1.0)
    assert await sessions.flush()


async def test_an_id_that_is_taken_is_told_to_the_caller(sessions: ChatSessions) -> None:
    made = Session("s", None, None, None, None, NOW, NOW)
    await sessions.read(create_session, "a", made)
    with pytest.raises(sqlite3.IntegrityError):
        await sessions.read(create_session, "a", made)
