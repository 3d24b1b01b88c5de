"""Client keys: who may call, with which models and limits. Pure: clock and randomness are arguments.

A key is 256 bits of randomness. Only its SHA-256 is stored: it reveals nothing about such a key, and a slow hash would
add nothing, since the key cannot be guessed.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from claudegwd.limits.budget import Budget
from claudegwd.limits.meter import Limits, Meter
from claudegwd.limits.spending import Spending
from claudegwd.openai_api.errors import AuthenticationFailed

PREFIX: Final = "cgw-"  # tells people, secret scanners and our redaction what it is
TOKEN_BYTES: Final = 32  # 256 bits, which nobody can guess
# A longer token does not fit into an 8 KB header, and hashing a megabyte would be free work for strangers.
TOKEN_MAX: Final = 8192
CONFIGURED_NAME: Final = "api-key-"  # and its number in API_KEYS
CLIENTS_MAX: Final = 20_000  # about 10 MB of memory

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class ClientRefused(ValueError):  # noqa: N818 - it names the fault
    """A client that cannot be created; the text says why and what to do."""


class UnknownClient(LookupError):  # noqa: N818 - it names the fault
    """No client with this name can be changed here; the text says where to look."""


@dataclass(frozen=True, slots=True)
class Client:
    """One client key. Times are seconds since the epoch. ``models`` empty: all. A limit of None: the configured one."""

    name: str
    digest: bytes = field(repr=False)
    models: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    created: float = 0.0
    expires: float | None = None
    revoked: float | None = None
    identity: str = ""  # distinguishes it from earlier clients of that name; "": created before identities
    budgets: tuple[Budget, ...] = ()
    server_tools: tuple[str, ...] = ()  # tools that run at the upstream; each use costs money
    configured: bool = False  # from API_KEYS: not in the store, and removed when it is removed there
    changed: float = 0.0  # when it was last changed

    @property
    def owner(self) -> str:
        """Identifies the owner of stored data: a name, or a place in API_KEYS, may pass to another key."""
        return f"key:{self.digest.hex()}" if self.configured else self.identity or self.name

    def state(self, now: float) -> str:
        """``active``, ``expired`` or ``revoked``; ``now``: seconds since the epoch."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"

    def allows(self, model: str) -> bool:
        """Whether it may use ``model``, named as clients name it."""
        return not self.models or model in self.models

    def limits(self, default: Limits) -> Limits:
        """Its limits, from ``default`` where it has none of its own."""
        return Limits(
            default.requests_per_minute if self.requests_per_minute is None else self.requests_per_minute,
            default.tokens_per_minute if self.tokens_per_minute is None else self.tokens_per_minute,
            default.concurrent_requests if self.concurrent_requests is None else self.concurrent_requests,
        )


@dataclass(slots=True)
class ClientTotals:
    """What a client has used since it was created. ``last_used``: seconds since the epoch."""

    requests: int = 0
    tokens: int = 0
    last_used: float | None = None


# The caller if no key is required. Not in the book's list, but metered like every other client.
ANONYMOUS: Final = Client("", b"")


def client_token(randomness: bytes) -> str:
    """A new key from TOKEN_BYTES bytes of the system's randomness."""
    if len(randomness) != TOKEN_BYTES:
        raise ValueError(f"cannot create a key: {TOKEN_BYTES} random bytes are needed")
    return PREFIX + urlsafe_b64encode(randomness).rstrip(b"=").decode()


def token_digest(token: str) -> bytes:
    """What is stored of a key, and how it is found."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def check_name(name: str) -> str:
    """``name`` if valid; otherwise raises ClientRefused. It appears in logs, URLs and command lines."""
    if not _NAME.fullmatch(name):
        raise ClientRefused(
            "cannot use this name: use 1 to 64 letters, digits, '.', '_', '@' or '-', starting with a letter or digit"
        )
    return name


def configured_clients(tokens: Sequence[str]) -> list[Client]:
    """The older gateway's API_KEYS as clients without limits of their own, named by their place in the list."""
    distinct = dict.fromkeys(token for token in tokens if token)
    return [
        Client(f"{CONFIGURED_NAME}{number}", token_digest(token), configured=True)
        for number, token in enumerate(distinct, 1)
    ]


class ClientBook:
    """All clients, found by key. Also holds their meters and spending, so that limits survive a reload."""

    def __init__(self, clients: Iterable[tuple[Client, ClientTotals]] = (), *, default: Limits) -> None:
        self.default = default
        self.spending = Spending()
        self.spending.budgets_of = self._budgets_of
        self.share: Callable[[], float] = lambda: 1.0  # the part of each limit that is granted here
        self._clients: dict[str, Client] = {}
        self._usage: dict[str, ClientTotals] = {}
        self._by_digest: dict[bytes, str] = {}
        self._meters: dict[str, Meter] = {}
        self._under_way: dict[str, set[Callable[[], None]]] = {}  # by owner: keys of API_KEYS may change places
        self._changed: set[str] = set()
        for client, usage in clients:
            self._put(client, usage)

    def authenticate(self, token: str, now: float) -> Client:
        """The client with this key. Raises AuthenticationFailed, which does not reveal the key.

        Constant time over all clients: the dict is searched by the SHA-256 of the whole key. The time may depend on the
        digest's leading bits, but an attacker cannot choose those: finding a key whose digest shares n bits with a
        stored one takes 2**n hashes, and even the whole digest would not reveal the key. The one candidate is compared
        with compare_digest, which avoids the early exit of bytes.__eq__.
        """
        digest = token_digest(token[:TOKEN_MAX])
        client = self._clients.get(self._by_digest.get(digest, ""))
        if client is None or not hmac.compare_digest(client.digest, digest):
            raise AuthenticationFailed("cannot accept this API key: it is unknown; check it, or ask the operator")
        match client.state(now):
            case "revoked":
                raise AuthenticationFailed("cannot accept this API key: it was revoked; ask the operator for a new one")
            case "expired":
                raise AuthenticationFailed("cannot accept this API key: it has expired; ask the operator for a new one")
        return client

    def create(self, client: Client) -> None:
        """Add a new client. Raises ClientRefused, for instance if the name is taken, even by a revoked client."""
        self.check_new(client)
        self._put(client, ClientTotals())

    def check_new(self, client: Client) -> None:
        """Raises ClientRefused if it cannot be added."""
        check_name(client.name)
        if client.name in self._clients:
            raise ClientRefused(
                f"cannot create client {client.name!r}: that name is taken; choose another, or remove that client"
            )
        if len(self._clients) >= CLIENTS_MAX:
            raise ClientRefused(
                f"cannot create client {client.name!r}: there are already {CLIENTS_MAX}; remove some first"
            )
        if client.digest in self._by_digest:
            raise ClientRefused(f"cannot create client {client.name!r}: another client has the same key")

    def revoke(self, name: str, now: float) -> Client:
        """Reject its key from now on and end its requests; returns the revoked client. Raises UnknownClient."""
        client = self.own(name)
        if client.revoked is None:
            client = replace(client, revoked=now, changed=max(now, client.changed))
            self._clients[name] = client
        self._end(client)
        return client

    def change(self, client: Client) -> None:
        """Apply new limits, models, expiry or a new key to the client with that name. Raises UnknownClient."""
        del self._by_digest[self.own(client.name).digest]
        self._put(client, self._usage[client.name])

    def remove(self, name: str) -> None:
        """End a client's requests, then remove it and its totals. Raises UnknownClient."""
        self.revoke(name, 0.0)
        self._drop(name)

    def configure(self, clients: Sequence[Client], default: Limits) -> None:
        """Apply the clients of API_KEYS and a configuration's limits, on each reload. What was used still counts."""
        self.default = default
        kept = {client.digest for client in clients}
        totals = {client.digest: self._usage[name] for name, client in self._clients.items() if client.configured}
        for name in [name for name, client in self._clients.items() if client.configured]:
            if self._clients[name].digest not in kept:
                self._end(self._clients[name])
            self._drop(name, meter=name not in {client.name for client in clients})
        for client in clients:
            # A client created by hand with the same key or name takes precedence.
            if client.digest not in self._by_digest and client.name not in self._clients:
                self._put(client, totals.get(client.digest) or ClientTotals())

    def get(self, name: str) -> Client:
        """The client with that name. Raises UnknownClient."""
        if name not in self._clients:
            raise UnknownClient(f"cannot find client {name!r}; `claudegwctl clients list` shows the names")
        return self._clients[name]

    def find(self, name: str) -> Client | None:
        """The client with that name, if there is one."""
        return self._clients.get(name)

    def own(self, name: str) -> Client:
        """The client with that name, if it can be changed here. Raises UnknownClient."""
        client = self.get(name)
        if client.configured:
            raise UnknownClient(
                f"cannot change {name!r}: it comes from API_KEYS; change it there and restart claudegwd"
            )
        return client

    def rows(self) -> list[tuple[Client, ClientTotals]]:
        """All of them by name, including revoked ones and API_KEYS."""
        return [(self._clients[name], self._usage[name]) for name in sorted(self._clients)]

    def meter(self, client: Client, now: float) -> Meter:
        """The client's meter, with its current limits. ``now``: monotonic seconds."""
        limits = client.limits(self.default).scaled(self.share())
        meter = self._meters.get(client.name)
        if meter is None:
            meter = self._meters[client.name] = Meter(limits, now)
        meter.change(limits, now)
        return meter

    @contextmanager
    def under_way(self, client: Client, end: Callable[[], None]) -> Iterator[None]:
        """While this lasts, revoking ``client`` calls ``end``, which must end the request at once and not raise."""
        ends = self._under_way.setdefault(client.owner, set())
        ends.add(end)
        try:
            yield
        finally:
            ends.discard(end)
            if not ends and self._under_way.get(client.owner) is ends:
                del self._under_way[client.owner]

    def used(self, client: Client, tokens: int, now: float) -> None:
        """Count one request. ``now``: seconds since the epoch."""
        usage = self._usage.get(client.name)
        if usage is not None:  # otherwise it was removed during its request
            usage.requests += 1
            usage.tokens += tokens
            usage.last_used = now
            self._changed.add(client.name)

    def take_changed(self) -> list[tuple[str, ClientTotals]]:
        """Totals that changed since the last call, for the store."""
        changed, self._changed = self._changed, set()
        stored = [name for name in sorted(changed) if not self._clients[name].configured]
        return [(name, replace(self._usage[name])) for name in stored]

    def changed_still(self, names: Iterable[str]) -> None:
        """Those totals were taken, but could not be stored."""
        self._changed.update(name for name in names if name in self._clients)

    def _budgets_of(self, name: str) -> Sequence[Budget]:
        client = self._clients.get(name)
        return client.budgets if client is not None else ()

    def _end(self, client: Client) -> None:
        for end in tuple(self._under_way.get(client.owner, ())):
            end()

    def _drop(self, name: str, *, meter: bool = True) -> None:
        del self._by_digest[self._clients.pop(name).digest]
        del self._usage[name]
        self._changed.discard(name)
        if meter:
            self._meters.pop(name, None)

    def _put(self, client: Client, usage: ClientTotals) -> None:
        self._clients[client.name] = client
        self._usage[client.name] = usage
        self._by_digest[client.digest] = client.name
