"""Which notices were sent, across restarts: a daemon that restarts in a loop does not repeat them each time."""

import json
import sqlite3
from collections.abc import Iterable

from claudegwd.notify.repeats import ROWS_MAX, Place, Told


def read_told(connection: sqlite3.Connection) -> list[tuple[Place, Told]]:
    """What was sent, latest last."""
    found = connection.execute("SELECT event, subject, part, times, until FROM notices ORDER BY written").fetchall()
    return [
        (Place(event, subject, part), Told(tuple(json.loads(times)), until))
        for event, subject, part, times, until in found
    ]


def write_told(connection: sqlite3.Connection, rows: Iterable[tuple[Place, Told]]) -> None:
    """Store these, and delete the oldest above ROWS_MAX."""
    connection.executemany(
        "INSERT OR REPLACE INTO notices (event, subject, part, times, until, written) VALUES (?, ?, ?, ?, ?, ?)",
        [(*place, json.dumps(told.times), told.until, told.times[-1]) for place, told in rows],
    )
    connection.execute(
        "DELETE FROM notices WHERE written < (SELECT written FROM notices ORDER BY written DESC LIMIT 1 OFFSET ?)",
        (ROWS_MAX - 1,),
    )
