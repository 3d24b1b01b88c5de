"""The part of the gateway that the control API needs: handlers cannot reach anything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from claudegwd.config import Config, Loaded
from claudegwd.keys.answers import KeysDiff
from claudegwd.keys.file import KeysEdit, KeysSource
from claudegwd.keys.ring import KeyRing
from claudegwd.ledger.query import UsageQuery
from claudegwd.limits.budget import Budget
from claudegwd.logs import LogRing
from claudegwd.workspaces.approvals import Approvals


class Clients(Protocol):
    """The client keys. Error texts begin "cannot …" and are shown to the caller; none contains a key."""

    async def rows(self) -> list[dict[str, Any]]:
        """A dict for each client: name, created, last_used, requests, tokens, limits, models, expires. Never a key."""
        ...

    async def create(
        self,
        name: str,
        *,
        models: Sequence[str],
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        concurrent_requests: int | None,
        expires: float | None,
        budgets: Sequence[Budget],
        server_tools: Sequence[str],
    ) -> str:
        """Create a client; return its key, which is shown only now. None means as in [limits]. `expires` is in seconds
        since the epoch. ValueError if the name is taken or invalid."""
        ...

    async def revoke(self, name: str) -> None:
        """Revoke a client at once, ending its running streams. LookupError if there is none."""
        ...

    async def remove(self, name: str) -> None:
        """Revoke and delete a client; its name is free again. LookupError if there is none."""
        ...

    async def set(self, name: str, changes: Mapping[str, Any]) -> None:
        """Change some fields of `create`. LookupError if there is none, ValueError if it is revoked."""
        ...

    async def rotate(self, name: str) -> str:
        """Return a new key for it. LookupError if there is none, ValueError if it is revoked."""
        ...


class AuditTrail(Protocol):
    """Who changed what."""

    def note(self, uid: int | None, pid: int | None, what: str, fields: Mapping[str, Any], /) -> None:
        """Record a change; never waits."""
        ...

    async def rows(self, count: int, /) -> list[dict[str, Any]]:
        """The last changes, newest last. Raises StateError."""
        ...


class NotificationTargets(Protocol):
    """Where people are notified."""

    async def test(self) -> list[dict[str, Any]]:
        """Send each target a test, and wait: `target`, `ok`, `error` and `seconds` of each."""
        ...


class Drainable(Protocol):
    """What balancers are told about the daemon."""

    @property
    def drained_since(self) -> float | None:
        """Since when they are told to send no new requests (seconds since the epoch); None: they may."""
        ...

    def drain(self) -> bool:
        """Tell them to send no new requests, but serve any that come; whether that is new."""
        ...

    def undrain(self) -> bool:
        """Tell them to send requests again; whether that is new."""
        ...


class WorkspaceReader(Protocol):
    """Where Claude may work with its own tools."""

    @property
    def approvals(self) -> Approvals:
        """What Claude asks permission for there."""
        ...

    async def rows(self, config: Config, /) -> list[dict[str, Any]]:
        """A dict for each workspace of this configuration, with its problem, if any."""
        ...


class Orders(Protocol):
    """Orders about keys for all machines. Raises StoreAwayError, UnknownKey."""

    async def disable(self, name: str, *, disabled: bool) -> None:
        """Disable or enable a key everywhere."""
        ...

    async def rotate(self, name: str) -> None:
        """Make it the active key everywhere."""
        ...


class Shares(Protocol):
    """What several machines share."""

    @property
    def orders(self) -> Orders | None:
        """None if the machines have no secret."""
        ...

    async def read_usage(self, question: UsageQuery, /) -> tuple[dict[str, dict[str, Any]], list[str]] | None:
        """The answers of all machines by name, and which were silent; None without a secret. Raises StoreAwayError."""
        ...


class LedgerReader(Protocol):
    """Who used what."""

    async def read_all(self, question: UsageQuery, /) -> dict[str, Any]:
        """The answer to a question, with the number of `lost` requests, if any. Raises StateError."""
        ...

    async def knows(self, client: str, /) -> bool:
        """Whether there is usage of a client of this name, who may have been removed. Raises StateError."""
        ...


class Controllable(Protocol):
    """What the gateway shows of itself. All calls are made on trio's thread."""

    @property
    def config(self) -> Config:
        """The configuration in effect."""
        ...

    @property
    def logs(self) -> LogRing: ...

    @property
    def ring(self) -> KeyRing: ...

    @property
    def keys_source(self) -> KeysSource:
        """Where the keys of the ring come from."""
        ...

    @property
    def sharing(self) -> Shares | None:
        """None if there is only one machine."""
        ...

    @property
    def clients(self) -> Clients | None:
        """None while there are no client keys to manage."""
        ...

    @property
    def ledger(self) -> LedgerReader: ...

    @property
    def audit(self) -> AuditTrail: ...

    @property
    def workspaces(self) -> WorkspaceReader: ...

    @property
    def notifications(self) -> NotificationTargets: ...

    def status(self) -> dict[str, Any]:
        """The fields of `GET /v1/status`, without tokens."""
        ...

    @property
    def life(self) -> Drainable: ...

    async def machines(self) -> list[dict[str, Any]] | None:
        """A dict for each machine that shares a store with this one, including itself; None if nothing is shared.
        Raises StoreAwayError."""
        ...

    def requests(self) -> list[dict[str, Any]]:
        """A dict for each running request to a model, oldest first. Nothing of its content."""
        ...

    def workers(self) -> list[dict[str, Any]]:
        """A dict for each CLI process."""
        ...

    async def models(self) -> list[dict[str, Any]]:
        """A dict for each offered model."""
        ...


class Reloadable(Protocol):
    """What can be changed in a running gateway."""

    @property
    def loaded(self) -> Loaded:
        """What was read last; differs from the configuration in effect by what is waiting for a restart."""
        ...

    @property
    def generation(self) -> int:
        """How many configurations have been in effect; 1 after the start."""
        ...

    def status(self) -> dict[str, Any]:
        """Its fields of `GET /v1/status`, without tokens."""
        ...

    async def check(self) -> Mapping[str, Any]:
        """What `reload` would return, without changing anything. Raises ConfigError, KeysError."""
        ...

    async def reload(self) -> Mapping[str, Any]:
        """Reload configuration and keys; returns what changed. ConfigError, KeysError: nothing did."""
        ...

    async def reload_keys(self) -> KeysDiff:
        """Reload only the keys, effective at once. KeysError: nothing changed."""
        ...

    async def edit_keys(self, edit: Callable[[Path], KeysEdit]) -> KeysEdit:
        """Change the keys file with `edit`, in a thread, and apply it at once. Raises KeysError, KeysReadOnly."""
        ...

    async def test_key(self, name: str) -> Mapping[str, Any]:
        """Ask one cheap question with this key; `name`, `ok`, `state`, `until` (of a limit), `error` and `seconds`. A
        key that answers has its marks cleared. Raises UnknownKey."""
        ...


@dataclass(frozen=True, slots=True)
class Controls:
    """Everything that a handler gets."""

    gateway: Controllable
    reloader: Reloadable
