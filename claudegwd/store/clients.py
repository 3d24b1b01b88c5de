"""Client keys on disk: names, SHA-256 of the keys, limits, times, totals. Blocking functions for ``Database.run``."""

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from claudegwd.limits.budget import budgets_text, read_budgets
from claudegwd.limits.clients import Client, ClientTotals

# How long it is remembered that a client was removed: a machine that was offline for longer would bring it back.
REMOVED_KEPT_SECONDS: Final = 366 * 86_400.0

_COLUMNS: Final = (
    "name, digest, models, requests_per_minute, tokens_per_minute, concurrent_requests, created, expires, revoked, "
    "last_used, requests, tokens, identity, budgets, server_tools, changed"
)
_MARKS: Final = ", ".join("?" * len(_COLUMNS.split(",")))
_REPLACED: Final = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ")[1:])


def load_clients(connection: sqlite3.Connection) -> list[tuple[Client, ClientTotals]]:
    """All clients, revoked ones too."""
    return [_row(columns) for columns in connection.execute(f"SELECT {_COLUMNS} FROM clients ORDER BY name")]  # noqa: S608 - a constant


def insert_clients(connection: sqlite3.Connection, rows: Iterable[tuple[Client, ClientTotals]]) -> None:
    """New clients, which ClientBook has checked. Replaces a row of that name; IntegrityError if the key exists."""
    connection.executemany(
        f"INSERT INTO clients ({_COLUMNS}) VALUES ({_MARKS}) ON CONFLICT (name) DO UPDATE SET {_REPLACED}",  # noqa: S608 - constants
        [
            (
                client.name, client.digest, json.dumps(client.models), client.requests_per_minute,
                client.tokens_per_minute, client.concurrent_requests, client.created, client.expires, client.revoked,
                usage.last_used, usage.requests, usage.tokens, client.identity,
                budgets_text(client.budgets), json.dumps(client.server_tools), client.changed,
            )
            for client, usage in rows
        ],
    )  # fmt: skip


def revoke_client(connection: sqlite3.Connection, name: str, now: float) -> None:
    """Mark a client as revoked; the first time counts."""
    connection.execute(
        "UPDATE clients SET revoked = coalesce(revoked, ?), changed = max(changed, ?) WHERE name = ?", (now, now, name)
    )


def change_client(connection: sqlite3.Connection, client: Client) -> None:
    """Write a client's changeable fields; its totals and creation time stay."""
    connection.execute(
        "UPDATE clients SET digest = ?, models = ?, requests_per_minute = ?, tokens_per_minute = ?, "
        "concurrent_requests = ?, expires = ?, revoked = ?, budgets = ?, server_tools = ?, changed = ? WHERE name = ?",
        (
            client.digest, json.dumps(client.models), client.requests_per_minute, client.tokens_per_minute,
            client.concurrent_requests, client.expires, client.revoked, budgets_text(client.budgets),
            json.dumps(client.server_tools), client.changed, client.name,
        ),
    )  # fmt: skip


def delete_client(connection: sqlite3.Connection, name: str, owner: str, now: float) -> None:
    """Delete a client, its totals, projects and sessions, and remember that it was removed."""
    connection.execute("INSERT OR REPLACE INTO removed_clients VALUES (?, ?, ?)", (owner, name, now))
    connection.execute("DELETE FROM removed_clients WHERE at < ?", (now - REMOVED_KEPT_SECONDS,))
    connection.execute("DELETE FROM clients WHERE name = ? AND coalesce(nullif(identity, ''), name) = ?", (name, owner))
    connection.execute("DELETE FROM projects WHERE client = ?", (owner,))
    connection.execute("DELETE FROM sessions WHERE client = ?", (owner,))


def load_removed(connection: sqlite3.Connection) -> list[tuple[str, str, float]]:
    """Clients that were removed: identity, name, when."""
    return connection.execute("SELECT owner, name, at FROM removed_clients ORDER BY at").fetchall()


def save_totals(connection: sqlite3.Connection, totals: Iterable[tuple[str, ClientTotals]]) -> None:
    """Write clients' total usage. One that was deleted meanwhile stays deleted."""
    connection.executemany(
        "UPDATE clients SET requests = ?, tokens = ?, last_used = ? WHERE name = ?",
        [(usage.requests, usage.tokens, usage.last_used, name) for name, usage in totals],
    )


def _row(columns: tuple[Any, ...]) -> tuple[Client, ClientTotals]:
    name, digest, models, rpm, tpm, concurrent, created, expires, revoked, last_used, *rest = columns
    requests, tokens, identity, budgets, server_tools, changed = rest
    client = Client(
        name, digest, tuple(json.loads(models)), rpm, tpm, concurrent,
        created=created, expires=expires, revoked=revoked, identity=identity,
        budgets=read_budgets(budgets), server_tools=tuple(json.loads(server_tools)),
        changed=changed,
    )  # fmt: skip
    return client, ClientTotals(requests, tokens, last_used)
