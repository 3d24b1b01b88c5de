"""Sessions of the older gateway."""

import sqlite3

import pytest

from claudegwd.store.database import Database
from claudegwd.store.sessions import (
    SESSIONS_MAX,
    Session,
    SessionStats,
    create_session,
    delete_session,
    end_session,
    get_session,
    list_sessions,
    session_stats,
    use_session,
)


def session(number: int, project: str | None = None) -> Session:
    return Session(f"s{number}", project, "title", "sonnet", "Be brief.", float(number), float(number))


@pytest.fixture
def database() -> Database:
    return Database(None)


def test_a_session_is_its_clients_own(database: Database) -> None:
    database.run_blocking(create_session, "a", session(1))
    assert database.run_blocking(get_session, "a", "s1") == session(1)
    assert database.run_blocking(get_session, "b", "s1") is None
    assert database.run_blocking(list_sessions, "b", limit=10, offset=0) == ([], 0)
    assert not database.run_blocking(end_session, "b", "s1", 1.0)
    assert not database.run_blocking(delete_session, "b", "s1")
    assert database.run_blocking(session_stats, "b") == SessionStats(0, 0, 0.0, 0, ())
    assert database.run_blocking(delete_session, "a", "s1")
    assert database.run_blocking(get_session, "a", "s1") is None


def test_a_client_has_an_id_once_and_another_may_choose_the_same(database: Database) -> None:
    database.run_blocking(create_session, "a", session(1))
    with pytest.raises(sqlite3.IntegrityError):
        database.run_blocking(create_session, "a", session(1))
    database.run_blocking(create_session, "b", session(1, "p"))
    assert database.run_blocking(get_session, "a", "s1") == session(1)
    assert database.run_blocking(get_session, "b", "s1") == session(1, "p")


def test_pages_of_a_project_begin_with_the_newest(database: Database) -> None:
    for number in range(6):
        database.run_blocking(create_session, "a", session(number, "p" if number % 2 else None))
    page, total = database.run_blocking(list_sessions, "a", limit=2, offset=0, project_id="p")
    assert ([each.id for each in page], total) == (["s5", "s3"], 3)
    page, total = database.run_blocking(list_sessions, "a", limit=2, offset=4)
    assert ([each.id for each in page], total) == (["s1", "s0"], 6)


def test_use_and_end(database: Database) -> None:
    database.run_blocking(create_session, "a", session(1))
    database.run_blocking(create_session, "a", session(2))
    assert database.run_blocking(end_session, "a", "s1", 4.0)
    for _ in range(2):
        assert database.run_blocking(use_session, "a", "s2", 5.0, model="opus", tokens=10, cost=0.25, messages=2)
    assert not database.run_blocking(use_session, "b", "s2", 5.0, model="x", tokens=1, cost=0.0, messages=1)
    used = database.run_blocking(get_session, "a", "s2")
    assert used == Session("s2", None, "title", "opus", "Be brief.", 2.0, 5.0, True, 20, 0.5, 4)
    assert database.run_blocking(session_stats, "a") == SessionStats(1, 20, 0.5, 4, ("opus",))


def test_the_least_recently_used_give_way(database: Database) -> None:
    def many(connection: sqlite3.Connection) -> None:
        connection.executemany(
            "INSERT INTO sessions VALUES (?, 'a', NULL, NULL, NULL, NULL, ?, ?, 1, 0, 0, 0)",
            [(f"s{n}", float(n), float(n)) for n in range(SESSIONS_MAX)],
        )

    database.run_blocking(many)
    database.run_blocking(use_session, "a", "s0", 1e9, model="x", tokens=1, cost=0.0, messages=1)
    database.run_blocking(create_session, "a", session(SESSIONS_MAX + 5))
    assert database.run_blocking(list_sessions, "a", limit=1, offset=0)[1] == SESSIONS_MAX
    assert database.run_blocking(get_session, "a", "s1") is None
    assert database.run_blocking(get_session, "a", "s0") is not None
