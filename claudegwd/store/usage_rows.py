"""The usage rows in the state file: written, aggregated as they age, summed. Each function is one transaction."""

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, Final

from claudegwd.ledger.ages import DAY, MINUTE, ROWS_MAX, Cut, cuts
from claudegwd.ledger.entry import SUMS, Line, Sums
from claudegwd.ledger.query import ROWS_ANSWERED_MAX, UsageQuery, answer
from claudegwd.limits.prices import weight

# How many times the periods of ledger/ages.py may be halved if there are too many rows: minutes are then kept for three
# hours.
SOONER_MAX: Final = 4

_PLACE: Final = Line._fields[1:]
_GROUPS: Final = {
    "client": "client",
    "key": "key",
    "model": "model",
    "answered": "answered",
    "route": "route",
    "how": "how",
    "day": "at - at % 86400",
    # What is kept only by day is in the day's first hour.
    "hour": "at - at % 3600",
}
_ERRORS: Final = "sum(requests * (status >= 400))"
_SUMMED: Final = ", ".join(f"sum({name})" for name in SUMS)
_ADDED: Final = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
_COLUMNS: Final = ", ".join(("grain", "at", *_PLACE, *SUMS))
_UPSERT: Final = f"ON CONFLICT DO UPDATE SET {_ADDED}"
_MARKS: Final = ", ".join("?" * (2 + len(_PLACE) + len(SUMS)))


def write_usage(connection: sqlite3.Connection, lines: Mapping[Line, Sums]) -> None:
    """Add lines of minutes to what is there."""
    connection.executemany(
        f"INSERT INTO usage ({_COLUMNS}) VALUES ({_MARKS}) {_UPSERT}",  # noqa: S608 - constants
        [(MINUTE, *line, *(getattr(sums, name) for name in SUMS)) for line, sums in lines.items()],
    )


def join_usage(connection: sqlite3.Connection, now: float) -> None:
    """Join old rows; sooner than planned while there are too many."""
    for sooner in range(SOONER_MAX + 1):
        for cut in cuts(now, sooner):
            _cut(connection, cut)
        if connection.execute("SELECT count(*) FROM usage").fetchone()[0] <= ROWS_MAX:
            return
    # Even the days are too many: delete the oldest.
    connection.execute(
        "DELETE FROM usage WHERE grain = ? AND at <= (SELECT at FROM usage ORDER BY at DESC LIMIT 1 OFFSET ?)",
        (DAY, ROWS_MAX),
    )


def _cut(connection: sqlite3.Connection, cut: Cut) -> None:
    old = (cut.grain, cut.before)
    if cut.into:
        # After a month, nobody cares about the route or how the worker was obtained.
        dropped = ("route", "how") if cut.into == DAY else ()
        place = ["''" if name in dropped else name for name in _PLACE]
        kept = ", ".join(name for name in _PLACE if name not in dropped)
        connection.execute(
            f"INSERT INTO usage ({_COLUMNS}) "  # noqa: S608 - constants
            f"SELECT {cut.into}, at / {cut.into} * {cut.into} AS start, {', '.join(place)}, {_SUMMED} FROM usage "
            f"WHERE grain = ? AND at < ? GROUP BY start, {kept} {_UPSERT}",
            old,
        )
    connection.execute("DELETE FROM usage WHERE grain = ? AND at < ?", old)


def sums_since(connection: sqlite3.Connection, start: float) -> tuple[Any, ...]:
    """The failed requests since the start of a day, and the sums of all."""
    found = connection.execute(f"SELECT {_ERRORS}, {_SUMMED} FROM usage WHERE at >= ?", (start,))  # noqa: S608
    row: tuple[Any, ...] = found.fetchone()
    return row if row[0] is not None else (0,)


def spent_since(connection: sqlite3.Connection, start: float) -> list[tuple[str, float, float]]:
    """What each client has spent since the start of a day: name, dollars, tokens."""
    return connection.execute(
        "SELECT client, sum(cost), sum(prompt + completion) FROM usage WHERE at >= ? GROUP BY client", (start,)
    ).fetchall()


def weights_since(connection: sqlite3.Connection, start: float) -> Iterator[tuple[str, float, float]]:
    """Weights and costs of answers since then, for each model whose answers all have a cost."""
    found = connection.execute(
        "SELECT model, sum(prompt), sum(completion), sum(cached), sum(written), sum(cost) FROM usage "
        "WHERE at >= ? AND unpriced = 0 AND priced > 0 GROUP BY model",
        (start,),
    ).fetchall()
    return ((model, weight(*tokens), cost) for model, *tokens, cost in found)


def has_used(connection: sqlite3.Connection, client: str) -> bool:
    """Whether this client has a row."""
    found = connection.execute("SELECT EXISTS (SELECT 1 FROM usage WHERE client = ?)", (client,)).fetchone()
    return bool(found[0])


def ask_usage(connection: sqlite3.Connection, question: UsageQuery) -> dict[str, Any]:
    """The rows that a question asks for, in the order of their groups."""
    # A row counts if any of its time does: an hour that began before `since` contains minutes after it. One condition
    # for all grains: with several, SQLite lists the rows that it has seen, which takes longer than reading them.
    where = "WHERE at > :since - grain" + (" AND client = :client" if question.client is not None else "")
    given = {"since": question.since, "client": question.client}

    def found(select: str, rest: str = "") -> sqlite3.Cursor:
        return connection.execute(f"SELECT {select} FROM usage {where} {rest}", given)  # noqa: S608 - constants

    total = found(f"{_ERRORS}, {_SUMMED}").fetchone()
    if total[0] is None:  # a sum over no rows
        return answer(question, [], (0,))
    if not question.by:
        return answer(question, [total], total)
    groups = ", ".join(_GROUPS[name] for name in question.by)
    places = ", ".join(str(place) for place in range(1, len(question.by) + 1))
    grouped = f"GROUP BY {places} ORDER BY {places} LIMIT {ROWS_ANSWERED_MAX}"
    rows = found(f"{groups}, {_ERRORS}, {_SUMMED}", grouped).fetchall()
    left_out = 0
    if len(rows) == ROWS_ANSWERED_MAX:
        counted = connection.execute(
            f"SELECT count(*) FROM (SELECT DISTINCT {groups} FROM usage {where})",  # noqa: S608 - constants
            given,
        )
        left_out = counted.fetchone()[0] - len(rows)
    return answer(question, rows, total, left_out)
