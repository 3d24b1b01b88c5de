"""The client keys of the running daemon: the book in memory, and the same on disk. What the control face manages."""

import logging
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import trio

from claudegwd.limits.clients import (
    TOKEN_BYTES,
    Client,
    ClientBook,
    Usage,
    client_token,
    configured_clients,
    token_digest,
)
from claudegwd.limits.meter import Limits
from claudegwd.logs import event, log
from claudegwd.store.clients import insert_clients, load_clients, revoke_client, save_totals
from claudegwd.store.database import Database, StateError

# Totals of some seconds ago are good enough after a crash; each write is a flush of the disk.
TOTALS_SECONDS: Final = 5.0
LAST_WRITE_SECONDS: Final = 2.0  # how long stopping may wait for a disk that hangs


class ClientKeys:
    """Creates and revokes clients, durably, and keeps their totals. ``book`` is what requests ask.

    ``clock``: wall clock, seconds. ``randomness``: that many bytes of the system's.
    """

    def __init__(
        self,
        database: Database,
        book: ClientBook,
        clock: Callable[[], float] = time.time,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.book = book
        self._database = database
        self._clock = clock
        self._randomness = randomness
        self._generation = database.generation
        self._failing = False

    @classmethod
    async def load(cls, database: Database, default: Limits, api_keys: Sequence[str] = ()) -> "ClientKeys":
        """The clients of the last run, and those of API_KEYS. sqlite3.Error: nobody could come in without."""
        book = ClientBook(await database.run(load_clients), default=default)
        book.configure(configured_clients(api_keys), default)
        return cls(database, book)

    async def rows(self) -> list[dict[str, Any]]:
        """A dict for each client by name, never a key. Times are seconds since the epoch."""
        default = self.book.default
        return [_shown(client, usage, client.limits(default)) for client, usage in self.book.rows()]

    async def create(
        self,
        name: str,
        *,
        models: Sequence[str] = (),
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        concurrent_requests: int | None = None,
        expires: float | None = None,
    ) -> str:
        """A new client; its key, which is kept nowhere. ClientRefused (a ValueError), StateError."""
        token = client_token(self._randomness(TOKEN_BYTES))
        client = Client(
            name,
            token_digest(token),
            tuple(models),
            requests_per_minute,
            tokens_per_minute,
            concurrent_requests,
            created=self._clock(),
            expires=expires,
        )
        self.book.create(client)
        try:
            await self._run(insert_clients, [(client, Usage())])
        except (sqlite3.Error, StateError):
            self.book.remove(name)
            raise StateError(
                f"cannot create client {name!r}: the state file cannot be written; its log line says why"
            ) from None
        return token

    async def revoke(self, name: str) -> None:
        """Refuse a client from now on and end its requests. UnknownClient (a LookupError), StateError."""
        now = self._clock()
        self.book.revoke(name, now)
        try:
            await self._run(revoke_client, name, now)
        except (sqlite3.Error, StateError):
            raise StateError(
                f"cannot write that client {name!r} is revoked: it is until a restart; look at the disk and do it again"
            ) from None

    async def run(self) -> None:
        """Write totals every few seconds, for ever; a last time when cancelled. Run it as a task."""
        try:
            while True:
                await trio.sleep(TOTALS_SECONDS)
                await self.flush()
        finally:
            with trio.move_on_after(LAST_WRITE_SECONDS, shield=True):
                await self.flush()

    async def flush(self) -> None:
        """Write the totals that changed. A disk that fails is logged: the next change of a client writes them again."""
        totals = self.book.take_changed()
        if totals:
            with suppress(sqlite3.Error, StateError):
                await self._run(save_totals, totals)

    async def _run(self, function: Callable[..., None], *args: Any) -> None:
        try:
            await self._database.run(function, *args)
        except (sqlite3.Error, StateError) as error:
            if not self._failing:
                self._failing = True
                event(log, logging.ERROR, "cannot write client keys and their totals", cause=error)
            raise
        self._failing = False
        if self._generation != self._database.generation:
            # The file was broken and a new one begun: give it everybody we know.
            self._generation = self._database.generation
            await self._database.run(_write_all, [row for row in self.book.rows() if not row[0].configured])


def _write_all(connection: sqlite3.Connection, rows: Sequence[tuple[Client, Usage]]) -> None:
    connection.execute("DELETE FROM clients")
    insert_clients(connection, rows)


def _shown(client: Client, usage: Usage, limits: Limits) -> dict[str, Any]:
    return {
        "name": client.name,
        "models": list(client.models),
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "concurrent_requests": limits.concurrent_requests,
        "created": client.created or None,
        "expires": client.expires,
        "revoked": client.revoked,
        "source": "API_KEYS" if client.configured else "clients",
        "last_used": usage.last_used,
        "requests": usage.requests,
        "tokens": usage.tokens,
    }
