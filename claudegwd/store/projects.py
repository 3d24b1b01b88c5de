"""Projects of the older gateway: names for groups of sessions. Blocking functions for ``Database.run``.

Every function takes ``client``: a client sees only its own. The older gateway's ``path`` is stored as text and never
opened.
"""

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

PROJECTS_MAX: Final = 1000  # per client; the client manages this table, so it gets an error instead of losing a row

_COLUMNS: Final = "id, name, description, path, created_at, updated_at, is_active"


class StoreFull(Exception):  # noqa: N818 - it names the fault
    """The client has as many as allowed."""


@dataclass(frozen=True, slots=True)
class Project:
    """Times are seconds since the epoch."""

    id: str
    name: str
    description: str | None
    path: str | None
    created_at: float
    updated_at: float
    is_active: bool = True


def create_project(connection: sqlite3.Connection, client: str, project: Project) -> None:
    """Insert it. Raises StoreFull, or sqlite3.IntegrityError if the id exists."""
    if _count(connection, client) >= PROJECTS_MAX:
        raise StoreFull(f"cannot create a project: this client already has {PROJECTS_MAX}; delete some first")
    connection.execute(
        f"INSERT INTO projects (client, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        (
            client, project.id, project.name, project.description, project.path, project.created_at,
            project.updated_at, project.is_active,
        ),
    )  # fmt: skip


def get_project(connection: sqlite3.Connection, client: str, project_id: str) -> Project | None:
    """One of the client's own."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM projects WHERE id = ? AND client = ?",  # noqa: S608 - a constant
        (project_id, client),
    ).fetchone()
    return _row(row) if row else None


def list_projects(connection: sqlite3.Connection, client: str, *, limit: int, offset: int) -> tuple[list[Project], int]:
    """A page of the client's projects, newest first, and their total number."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM projects WHERE client = ? ORDER BY created_at DESC, id LIMIT ? OFFSET ?",  # noqa: S608 - a constant
        (client, limit, offset),
    )
    return [_row(row) for row in rows], _count(connection, client)


def delete_project(connection: sqlite3.Connection, client: str, project_id: str) -> bool:
    """Delete it; whether it existed. Its sessions stay, without a project."""
    gone = connection.execute("DELETE FROM projects WHERE id = ? AND client = ?", (project_id, client)).rowcount == 1
    if gone:
        connection.execute(
            "UPDATE sessions SET project_id = NULL WHERE project_id = ? AND client = ?", (project_id, client)
        )
    return gone


def _count(connection: sqlite3.Connection, client: str) -> int:
    return int(connection.execute("SELECT count(*) FROM projects WHERE client = ?", (client,)).fetchone()[0])


def _row(columns: tuple[Any, ...]) -> Project:
    project_id, name, description, path, created_at, updated_at, is_active = columns
    return Project(project_id, name, description, path, created_at, updated_at, bool(is_active))
