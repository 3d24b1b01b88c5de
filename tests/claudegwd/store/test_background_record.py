from __future__ import annotations

from pathlib import Path

from claudegwd.store.background_record import KEPT_SECONDS, ROWS_MAX, BackgroundRecord, Lost
from claudegwd.store.database import Database

NOW = 1_800_000_000.0


async def loaded(path: Path, now: float = NOW) -> BackgroundRecord:
    record = BackgroundRecord(Database(path), lambda: now)
    await record.load()
    return record


async def test_what_was_begun_is_known_after_a_restart_and_to_its_owner_alone(tmp_path: Path) -> None:
    record = await loaded(tmp_path / "state")
    await record.begin("alice", "resp_1", int(NOW), "sonnet")
    assert record.lost("alice", "resp_1") is None, "it is under way"
    again = await loaded(tmp_path / "state")
    assert again.lost("alice", "resp_1") == Lost(int(NOW), "sonnet")
    assert again.lost("bob", "resp_1") is None
    assert await again.forget("alice", "resp_1")
    assert not await again.forget("alice", "resp_1")
    assert (await loaded(tmp_path / "state")).lost("alice", "resp_1") is None


async def test_it_is_forgotten_in_time(tmp_path: Path) -> None:
    await (await loaded(tmp_path / "state")).begin("alice", "resp_1", int(NOW), "sonnet")
    assert (await loaded(tmp_path / "state", NOW + KEPT_SECONDS - 1)).lost("alice", "resp_1")
    assert (await loaded(tmp_path / "state", NOW + KEPT_SECONDS + 1)).lost("alice", "resp_1") is None


async def test_there_are_not_more_than_so_many(tmp_path: Path) -> None:
    database = Database(tmp_path / "state")
    rows = [("alice", f"resp_{number}", int(NOW), "m") for number in range(ROWS_MAX)]
    await database.run(
        lambda connection: connection.executemany("INSERT INTO background VALUES (?, ?, ?, ?)", rows) and None
    )
    await BackgroundRecord(database, lambda: NOW).begin("alice", "one more", int(NOW), "m")
    again = BackgroundRecord(database, lambda: NOW)
    await again.load()
    assert again.lost("alice", "resp_0") is None
    assert again.lost("alice", "resp_1")
    assert again.lost("alice", "one more")


async def test_a_disk_that_fails_keeps_nobody_from_answering(tmp_path: Path) -> None:
    database = Database(tmp_path / "state")
    database.close()
    record = BackgroundRecord(database, lambda: NOW)
    await record.begin("alice", "resp_1", int(NOW), "sonnet")
    assert record.lost("alice", "resp_1") is None
