"""The state file: transactions, versions, and files that are broken."""

import logging
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from claudegwd.store.database import MAX_PAGES, SET_ASIDE_KEEP, Database, StateError, StateInUseError
from claudegwd.store.schema import STEPS, VERSION


def put(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("INSERT INTO projects VALUES (?, '', 'n', NULL, NULL, 0, 0, 1)", (name,))


def names(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT id FROM projects")}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.db"


async def test_what_was_written_is_there_after_reopening(path: Path) -> None:
    database = Database(path)
    await database.run(put, "a")
    database.close()
    assert await Database(path).run(names) == {"a"}


def test_the_file_is_private(path: Path) -> None:
    database = Database(path)
    database.run_blocking(put, "a")
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


def test_settings(path: Path) -> None:
    def pragma(connection: sqlite3.Connection, name: str) -> object:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]

    database = Database(path)
    assert database.run_blocking(pragma, "journal_mode") == "wal"
    assert database.run_blocking(pragma, "synchronous") == 2
    assert database.run_blocking(pragma, "max_page_count") == MAX_PAGES
    assert database.run_blocking(pragma, "user_version") == VERSION


async def test_a_failing_function_leaves_nothing_behind(path: Path) -> None:
    database = Database(path)

    def half(connection: sqlite3.Connection) -> None:
        put(connection, "a")
        raise LookupError

    with pytest.raises(LookupError):
        await database.run(half)

    def twice(connection: sqlite3.Connection) -> None:
        put(connection, "b")
        put(connection, "b")

    with pytest.raises(sqlite3.IntegrityError):
        await database.run(twice)
    await database.run(put, "c")
    assert await database.run(names) == {"c"}


async def test_it_runs_off_the_event_loop(path: Path) -> None:
    thread = await Database(path).run(lambda _: threading.current_thread())
    assert thread is not threading.current_thread()


def test_in_memory() -> None:
    database = Database(None)
    database.run_blocking(put, "a")
    assert database.run_blocking(names) == {"a"}


@pytest.mark.parametrize(
    "garbage", [b"not a database at all, but long enough to be one" * 100, b"SQLite format 3\0" * 9]
)
def test_a_file_of_garbage_is_set_aside(path: Path, garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(garbage)
    database = Database(path)
    database.run_blocking(put, "a")
    assert Database(path).run_blocking(names) == {"a"}
    (aside,) = path.parent.glob("state.db.broken-*")
    assert aside.read_bytes() == garbage
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "was renamed" in record.message


def test_a_damaged_page_is_found_at_the_start(path: Path) -> None:
    database = Database(path)
    for number in range(300):
        database.run_blocking(put, f"{number:0200}")
    database.close()
    data = bytearray(path.read_bytes())
    data[8192:20000] = b"\xff" * (20000 - 8192)
    path.write_bytes(data)
    assert Database(path).run_blocking(names) == set()
    assert len(list(path.parent.glob("state.db.broken-*"))) == 1


async def test_a_file_that_breaks_while_open_is_replaced(path: Path) -> None:
    database = Database(path)
    for number in range(300):
        await database.run(put, f"{number:0200}")
    database.close()  # brings everything from the log into the file
    database = Database(path)
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
    database._connection.execute("PRAGMA shrink_memory")  # what is cached would hide it
    assert await database.run(names) == set()
    await database.run(put, "after")
    assert await database.run(names) == {"after"}
    assert database.generation == 1


def test_an_empty_file_is_a_new_one(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert Database(path).run_blocking(names) == set()


def test_few_broken_files_are_kept(path: Path) -> None:
    path.parent.mkdir()
    for _ in range(SET_ASIDE_KEEP + 3):
        path.write_bytes(b"garbage" * 100)
        Database(path).close()
    assert len(list(path.parent.glob("state.db.broken-*"))) == SET_ASIDE_KEEP


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    database = Database(path)
    database.run_blocking(put, "a")
    database.close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(StateError, match="it was written by a newer claudegwd"):
        Database(path)
    with sqlite3.connect(path) as connection:
        assert names(connection) == {"a"}
    connection.close()


def test_every_step_leads_to_the_version(path: Path) -> None:
    for version in range(len(STEPS)):
        old = path.with_name(f"{version}.db")
        old.parent.mkdir(exist_ok=True)
        connection = sqlite3.connect(old)
        for step in STEPS[:version]:
            connection.executescript(step)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.close()
        assert Database(old).run_blocking(names) == set()


def test_a_place_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=r"cannot use the state file .*check its owner"):
        Database(tmp_path / "file" / "state.db")
    with pytest.raises(StateError, match="cannot use the state file"):
        Database(tmp_path)


def test_one_that_another_process_keeps_locked(path: Path) -> None:
    Database(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StateInUseError, match="another process keeps it locked"):
            Database(path)


@pytest.mark.parametrize("how", ["the file", "the file and its logs", "the directory"])
async def test_a_removed_file_is_written_anew_with_all_it_held(path: Path, how: str) -> None:
    database = Database(path)
    await database.run(put, "a")
    assert not await database.hold()
    if how == "the directory":
        shutil.rmtree(path.parent)
    else:
        for file in path.parent.glob("state.db*" if how == "the file and its logs" else "state.db"):
            file.unlink()
    assert await database.hold()
    await database.run(put, "b")
    assert not await database.hold()
    assert Database(path).run_blocking(names) == {"a", "b"}
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert not list(path.parent.glob("*.new*"))
    assert database.problem == ""


async def test_another_file_in_its_place_is_left_alone_and_told_of(path: Path) -> None:
    database = Database(path)
    await database.run(put, "a")
    other = Database(path.with_name("other.db"))
    other.run_blocking(put, "other")
    other.close()
    path.with_name("other.db").rename(path)
    assert not await database.hold()
    assert "is no longer the file in use" in database.problem
    path.unlink()
    assert await database.hold()
    assert database.problem == ""
    assert Database(path).run_blocking(names) == {"a"}


async def test_a_disk_that_fails_while_it_is_written_anew_loses_nothing(path: Path) -> None:
    database = Database(path)
    await database.run(put, "a")
    shutil.rmtree(path.parent)
    path.parent.touch()  # in the way
    with pytest.raises(OSError, match="exists"):
        await database.hold()
    assert await database.run(names) == {"a"}
    path.parent.unlink()
    assert await database.hold()
    assert Database(path).run_blocking(names) == {"a"}
