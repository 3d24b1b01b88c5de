"""Sessions of the older gateway: what is stored about a conversation, without the conversation itself.

Blocking functions for ``Database.run``. Every function takes ``client``: a client sees only its own.
"""

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

SESSIONS_MAX: Final = 10_000  # in total; every chat may create one, so the least recently used ones are removed

_COLUMNS: Final = (
    "id, project_id, title, model, system_prompt, created_at, updated_at, is_active, total_tokens, total_cost, "
    "message_count"
)


@dataclass(frozen=True, slots=True)
class Session:
    """Times are seconds since the epoch, cost is in US dollars."""

    id: str
    project_id: str | None
    title: str | None
    model: str | None
    system_prompt: str | None
    created_at: float
    updated_at: float
    is_active: bool = True
    total_tokens: int = 0
    total_cost: float = 0.0
    message_count: int = 0


@dataclass(frozen=True, slots=True)
class SessionStats:
    """Sums over the client's sessions; ``models``: those of active ones, sorted."""

    active_sessions: int
    total_tokens: int
    total_cost: float
    total_messages: int
    models: tuple[str, ...]


def create_session(connection: sqlite3.Connection, client: str, session: Session) -> None:
    """Insert it, and delete the least recently used above SESSIONS_MAX. sqlite3.IntegrityError: the client has it."""
    connection.execute(
        f"INSERT INTO sessions (client, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        (
            client, session.id, session.project_id, session.title, session.model, session.system_prompt,
            session.created_at, session.updated_at, session.is_active, session.total_tokens, session.total_cost,
            session.message_count,
        ),
    )  # fmt: skip
    connection.execute(
        "DELETE FROM sessions WHERE (client, id) IN "
        "(SELECT client, id FROM sessions ORDER BY updated_at DESC LIMIT -1 OFFSET ?)",
        (SESSIONS_MAX,),
    )


def get_session(connection: sqlite3.Connection, client: str, session_id: str) -> Session | None:
    """One of the client's own."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM sessions WHERE id = ? AND client = ?",  # noqa: S608 - a constant
        (session_id, client),
    ).fetchone()
    return _row(row) if row else None


def list_sessions(
    connection: sqlite3.Connection, client: str, *, limit: int, offset: int, project_id: str | None = None
) -> tuple[list[Session], int]:
    """A page of the client's sessions (in one project), newest first, and their total number."""
    where = "client = ? AND (? IS NULL OR project_id = ?)"
    values = (client, project_id, project_id)
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM sessions WHERE {where} ORDER BY created_at DESC, id LIMIT ? OFFSET ?",  # noqa: S608 - constants
        (*values, limit, offset),
    )
    sessions = [_row(row) for row in rows]
    total = connection.execute(f"SELECT count(*) FROM sessions WHERE {where}", values).fetchone()[0]  # noqa: S608 - a constant
    return sessions, int(total)


def use_session(
    connection: sqlite3.Connection,
    client: str,
    session_id: str,
    now: float,
    *,
    model: str,
    tokens: int,
    cost: float,
    messages: int,
) -> bool:
    """Add one answer to the session's totals; whether the session exists."""
    done = connection.execute(
        "UPDATE sessions SET updated_at = ?, model = ?, is_active = 1, total_tokens = total_tokens + ?, "
        "total_cost = total_cost + ?, message_count = message_count + ? WHERE id = ? AND client = ?",
        (now, model, tokens, cost, messages, session_id, client),
    )
    return done.rowcount == 1


def add_cost(connection: sqlite3.Connection, client: str, session_id: str, cost: float) -> None:
    """Add the cost of an answer, if the session still exists."""
    connection.execute(
        "UPDATE sessions SET total_cost = total_cost + ? WHERE id = ? AND client = ?", (cost, session_id, client)
    )


def end_session(connection: sqlite3.Connection, client: str, session_id: str, now: float) -> bool:
    """Mark it as no longer active; whether the session exists."""
    done = connection.execute(
        "UPDATE sessions SET is_active = 0, updated_at = ? WHERE id = ? AND client = ?", (now, session_id, client)
    )
    return done.rowcount == 1


def delete_session(connection: sqlite3.Connection, client: str, session_id: str) -> bool:
    """Delete it; whether it existed."""
    done = connection.execute("DELETE FROM sessions WHERE id = ? AND client = ?", (session_id, client))
    return done.rowcount == 1


def session_stats(connection: sqlite3.Connection, client: str) -> SessionStats:
    """Sums over all of the client's sessions."""
    active, tokens, cost, messages = connection.execute(
        "SELECT coalesce(sum(is_active), 0), coalesce(sum(total_tokens), 0), coalesce(sum(total_cost), 0.0), "
        "coalesce(sum(message_count), 0) FROM sessions WHERE client = ?",
        (client,),
    ).fetchone()
    models = connection.execute(
        "SELECT DISTINCT model FROM sessions WHERE client = ? AND is_active AND model IS NOT NULL ORDER BY model",
        (client,),
    )
    return SessionStats(active, tokens, cost, messages, tuple(row[0] for row in models))


def _row(columns: tuple[Any, ...]) -> Session:
    session_id, project_id, title, model, prompt, created_at, updated_at, active, tokens, cost, messages = columns
    return Session(
        session_id, project_id, title, model, prompt, created_at, updated_at, bool(active), tokens, cost, messages
    )
