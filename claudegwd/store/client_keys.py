"""The client keys of the running daemon: the book in memory, and its copy on disk. The control API manages them."""

import logging
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import trio

from claudegwd.limits.budget import Budget
from claudegwd.limits.clients import (
    TOKEN_BYTES,
    Client,
    ClientBook,
    ClientRefused,
    ClientTotals,
    client_token,
    configured_clients,
    token_digest,
)
from claudegwd.limits.meter import Limits
from claudegwd.limits.records import ClientRecord, client_of, later, record_of
from claudegwd.logs import event, log
from claudegwd.store.change_time import next_change
from claudegwd.store.client_rows import shown_budgets, shown_client
from claudegwd.store.clients import (
    change_client,
    delete_client,
    insert_clients,
    load_clients,
    load_removed,
    revoke_client,
    save_totals,
)
from claudegwd.store.database import Database, StateError
from claudegwd.store.write_behind import LAST_WRITE_SECONDS

# After a crash, totals that are a few seconds old are good enough; each write flushes the disk.
TOTALS_SECONDS: Final = 5.0
IDENTITY_BYTES: Final = 8  # two clients with the same name never get the same identity, or only after centuries


class ClientKeys:
    """Creates and revokes clients, durably, and keeps their totals. ``book`` is what requests consult.

    ``clock``: wall clock, seconds. ``randomness``: returns that many random bytes.
    """

    def __init__(
        self,
        database: Database,
        book: ClientBook,
        clock: Callable[[], float] = time.time,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.book = book
        self.on_change: Callable[[str], None] = lambda _owner: None  # somebody changed it, here
        self.removed: dict[str, ClientRecord] = {}  # by owner
        self._database = database
        self._clock = clock
        self._randomness = randomness
        self._generation = database.generation
        self._failing = False
        self._changing = trio.Lock()  # a change builds on what is there: of two at once, one would be undone
        # Revocations and removals that the disk has not taken yet, by name; the latest counts.
        self._owed: dict[str, tuple[Callable[..., None], tuple[Any, ...]]] = {}

    @classmethod
    async def load(cls, database: Database, default: Limits, api_keys: Sequence[str] = ()) -> "ClientKeys":
        """The clients of the last run, and those of API_KEYS. Raises sqlite3.Error: without them nobody gets in."""
        book = ClientBook(await database.run(load_clients), default=default)
        book.configure(configured_clients(api_keys), default)
        keys = cls(database, book)
        for owner, name, at in await database.run(load_removed):
            keys.removed[owner] = ClientRecord(owner, name, at, removed=True)
        return keys

    async def rows(self) -> list[dict[str, Any]]:
        """A dict for each client, by name, without its key. Times are seconds since the epoch."""
        default = self.book.default
        now = self._clock()
        return [
            {
                **shown_client(client, usage, client.limits(default), now),
                "budgets": shown_budgets(self.book.spending, client, now),
            }
            for client, usage in self.book.rows()
        ]

    async def create(
        self,
        name: str,
        *,
        models: Sequence[str] = (),
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        concurrent_requests: int | None = None,
        expires: float | None = None,
        budgets: Sequence[Budget] = (),
        server_tools: Sequence[str] = (),
    ) -> str:
        """Create a client; its key, which is not kept. Raises ClientRefused (a ValueError), StateError."""
        if self._database.problem:
            problem = self._database.problem
            raise StateError(f"cannot create client {name!r}, which would be lost at a restart: {problem}")
        token, now = client_token(self._randomness(TOKEN_BYTES)), self._clock()
        client = Client(
            name,
            token_digest(token),
            tuple(models),
            requests_per_minute,
            tokens_per_minute,
            concurrent_requests,
            created=now,
            expires=expires,
            budgets=tuple(budgets),
            server_tools=tuple(server_tools),
            identity=f"{name}#{self._randomness(IDENTITY_BYTES).hex()}",
            changed=now,
        )
        async with self._changing:
            self.book.check_new(client)
            try:
                # On disk first: whoever removes it must find it there. Shielded, so that the caller reports it.
                with trio.CancelScope(shield=True):
                    await self._pay()
                    await self._run(insert_clients, [(client, ClientTotals())])
            except (sqlite3.Error, StateError):
                text = f"cannot create client {name!r}: the state file cannot be written; see the log"
                raise StateError(text) from None
            self.book.create(client)
        self.on_change(client.owner)
        return token

    async def revoke(self, name: str) -> None:
        """Reject a client from now on and end its requests. Raises UnknownClient (a LookupError), StateError."""
        now = self._clock()
        client = self.book.revoke(name, now)
        self.on_change(client.owner)
        await self._owe(name, revoke_client, name, now)

    async def remove(self, name: str) -> None:
        """Revoke a client and delete all that is stored of it; its name is free. Raises UnknownClient, StateError."""
        client, now = self.book.own(name), self._clock()
        self._remove(ClientRecord(client.owner, name, self._after(client), removed=True))
        self.on_change(client.owner)
        await self._owe(name, delete_client, name, client.owner, now)

    async def set(self, name: str, changes: Mapping[str, Any]) -> None:
        """Change fields of a client, except its name. Raises UnknownClient, ClientRefused, StateError."""
        async with self._changing:
            await self._change(replace(self._living(name), **changes))

    async def rotate(self, name: str) -> str:
        """A new key for a client, which keeps its conversations and totals; the old one is rejected from now on.

        Raises UnknownClient, ClientRefused, StateError."""
        token = client_token(self._randomness(TOKEN_BYTES))
        async with self._changing:
            await self._change(replace(self._living(name), digest=token_digest(token)))
        return token

    def _living(self, name: str) -> Client:
        client = self.book.own(name)
        if client.revoked is not None:
            raise ClientRefused(f"cannot change client {name!r}: it is revoked; remove it and create it again")
        return client

    def _remove(self, record: ClientRecord) -> None:
        self.removed[record.owner] = record
        client = self.book.find(record.name)
        if client is not None and client.owner == record.owner:
            self.book.remove(record.name)

    def _after(self, client: Client) -> float:
        return next_change(self._clock(), client.changed)

    async def _change(self, client: Client) -> None:
        """On disk first: a change that was reported must survive a restart."""
        client = replace(client, changed=self._after(client))
        try:
            await self._run(change_client, client)
        except (sqlite3.Error, StateError):
            raise StateError(
                f"cannot change client {client.name!r}: the state file cannot be written; see the log"
            ) from None
        self.book.change(replace(client, revoked=self.book.own(client.name).revoked))
        self.on_change(client.owner)

    # -- what other machines report

    def records(self) -> dict[str, ClientRecord]:
        """Everything that other machines should know, by owner."""
        living = (record_of(client) for client, _ in self.book.rows() if not client.configured)
        return self.removed | {record.owner: record for record in living}

    async def learn(self, record: ClientRecord) -> ClientRecord:
        """Apply another machine's record of a client; what is in effect now. ClientRefused: its name is taken here."""
        async with self._changing:
            ours = self.book.find(record.name)
            if (gone := self.removed.get(record.owner)) is not None:
                return gone
            with suppress(sqlite3.Error, StateError):  # it was logged; what is lost is learned again
                if record.removed:
                    self._remove(record)
                    await self._owe(record.owner, delete_client, record.name, record.owner, record.changed)
                elif ours is None:
                    self.book.create(client_of(record))
                    await self._run(insert_clients, [(client_of(record), ClientTotals())])
                elif ours.owner != record.owner:
                    raise ClientRefused(
                        f"cannot use client {record.name!r} of another machine: a client of that name exists here; "
                        "remove one of them, and create it under another name"
                    )
                elif (client := later(ours, client_of(record))) != ours:
                    if client.revoked is not None:
                        self.book.revoke(client.name, client.revoked)
                    self.book.change(client)
                    await self._run(change_client, client)
            return self.removed.get(record.owner) or record_of(self.book.get(record.name))

    async def _owe(self, name: str, function: Callable[..., None], *args: Any) -> None:
        """Write what is in effect in memory, now or as soon as the disk takes it: it must survive a restart."""
        self._owed[name] = function, args
        try:
            with trio.CancelScope(shield=True):  # a caller that has changed something reports it, even if cancelled
                await self._pay()
        except (sqlite3.Error, StateError):
            raise StateError(
                f"cannot record that client {name!r} is revoked: it is refused, and this is retried every few seconds, "
                "but a restart before that would accept it again; check the disk"
            ) from None

    async def _pay(self) -> None:
        for name, owed in list(self._owed.items()):
            function, args = owed
            if self._owed.get(name) is owed:  # otherwise somebody else has paid it meanwhile
                await self._run(function, *args)
            if self._owed.get(name) is owed:
                del self._owed[name]

    async def run(self) -> None:
        """Keep writing totals every few seconds; a last time when cancelled. Run it as a task."""
        try:
            while True:
                await trio.sleep(TOTALS_SECONDS)
                await self.flush()
        finally:
            with trio.move_on_after(LAST_WRITE_SECONDS, shield=True):
                await self.flush()

    async def flush(self) -> None:
        """Write what is owed and the totals that changed. A failing disk is logged, and both are tried again."""
        with suppress(sqlite3.Error, StateError):
            await self._pay()
            totals = self.book.take_changed()
            if totals or self._generation != self._database.generation:
                try:
                    await self._run(save_totals, totals)
                except (sqlite3.Error, StateError, trio.Cancelled):
                    self.book.changed_still(name for name, _ in totals)
                    raise

    async def _run(self, function: Callable[..., None], *args: Any) -> None:
        try:
            await self._database.run(function, *args)
            if await self._fill_new_file():
                await self._database.run(function, *args)  # it had found nobody there
        except (sqlite3.Error, StateError) as error:
            if not self._failing:
                self._failing = True
                event(log, logging.ERROR, "client keys and their totals cannot be written", cause=error)
            raise
        self._failing = False

    async def _fill_new_file(self) -> bool:
        """If the file was broken and a new one was created, write everybody we know to it; whether that was so."""
        generation = self._database.generation
        if self._generation == generation:
            return False
        rows = [row for row in self.book.rows() if not row[0].configured]
        await self._database.run(_write_all, rows, list(self.removed.values()))
        self._generation = generation
        return True


def _write_all(
    connection: sqlite3.Connection, rows: Sequence[tuple[Client, ClientTotals]], removed: Sequence[ClientRecord]
) -> None:
    connection.execute("DELETE FROM clients")
    insert_clients(connection, rows)
    for record in removed:
        delete_client(connection, record.name, record.owner, record.changed)
