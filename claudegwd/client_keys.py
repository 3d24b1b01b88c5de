"""The client keys as the faces use them: the book in memory, and its rows on disk."""

import time
from collections.abc import Sequence
from secrets import token_bytes
from typing import Any

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
from claudegwd.store.clients import insert_client, load_clients, revoke_client
from claudegwd.store.database import Database


class ClientKeys:
    """Open it with `load`. `book` answers requests from memory; changes are on disk before they are answered."""

    def __init__(self, database: Database, book: ClientBook) -> None:
        self.book = book
        self._database = database

    @classmethod
    async def load(cls, database: Database, configured: Sequence[str], default: Limits) -> "ClientKeys":
        """The clients of earlier runs and those of API_KEYS. Raises sqlite3.Error: without them nobody could come in."""
        keys = cls(database, ClientBook(await database.run(load_clients), default=default))
        keys.configure(configured, default)
        return keys

    def configure(self, configured: Sequence[str], default: Limits) -> None:
        """Take the API_KEYS and limits of a configuration; what was used stays used."""
        self.book.configure(configured_clients(configured), default)

    async def rows(self) -> list[dict[str, Any]]:
        """A dict for each client by name, never a key. Times are seconds since the epoch."""
        return [_shown(client, usage, client.limits(self.book.default)) for client, usage in self.book.rows()]

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
        """Make a client; its key, this one time. ClientRefused (a ValueError): a name that is taken, or none."""
        token = client_token(token_bytes(TOKEN_BYTES))
        client = Client(
            name,
            token_digest(token),
            tuple(models),
            requests_per_minute,
            tokens_per_minute,
            concurrent_requests,
            created=time.time(),
            expires=expires,
        )
        self.book.create(client)
        try:
            await self._database.run(insert_client, client)
        except BaseException:
            self.book.remove(name)  # a key that would be forgotten at the next start is none
            raise
        return token

    async def revoke(self, name: str) -> None:
        """End a client at once, also what it has under way. UnknownClient (a LookupError): none of that name."""
        now = time.time()
        self.book.revoke(name, now)
        await self._database.run(revoke_client, name, now)


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
