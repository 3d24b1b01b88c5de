from __future__ import annotations

from pathlib import Path

from claudegwd.notify.repeats import ROWS_MAX, Place, Told
from claudegwd.store.database import Database
from claudegwd.store.notices import read_told, write_told


def test_they_outlive_the_process_and_the_latest_stay(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    rows = [(Place("key_invalid", str(number), ""), Told((1.0, float(number)), 5.5)) for number in range(ROWS_MAX + 7)]
    database.run_blocking(write_told, rows[5:])
    database.run_blocking(write_told, rows[:5])
    database.close()
    database = Database(tmp_path / "state.db")
    assert database.run_blocking(read_told) == rows[7:]
    database.run_blocking(write_told, [(rows[9][0], Told((9e9,), 0.0))])
    assert database.run_blocking(read_told)[-1] == (rows[9][0], Told((9e9,), 0.0))
    database.close()
