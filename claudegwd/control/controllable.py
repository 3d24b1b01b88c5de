"""The part of the gateway that the control face needs: handlers cannot reach anything else."""

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
    """The client keys. Texts of errors begin "cannot …" and go to whoever asked; none holds a key."""

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
        """Make a client; the new key, shown this one time. None means as [limits] says. `expires` is in seconds since
        the epoch. ValueError for a name that is taken or no name."""
        ...

    async def revoke(self, name: str) -> None:
        """End a client at once, also its streams under way. LookupError if there is none."""
        ...

    async def remove(self, name: str) -> None:
        """Revoke and forget a client; its name is free again. LookupError if there is none."""
        ...

    async def set(self, name: str, changes: Mapping[str, Any]) -> None:
        """Change some of what `create` takes. LookupError if there is none, ValueError if it is revoked."""
        ...

    async def rotate(self, name: str) -> str:
        """Give it another key, and answer that. LookupError if there is none, ValueError if it is revoked."""
        ...


class AuditTrail(Protocol):
    """Who changed what."""

    def note(self, uid: int | None, pid: int | None, what: str, fields: Mapping[str, Any], /) -> None:
        """Remember a change; never waits."""
        ...

    async def rows(self, count: int, /) -> list[dict[str, Any]]:
        """The last changes, the newest last. StateError."""
        ...


class NotificationTargets(Protocol):
    """Where people are told of what happens."""

    async def test(self) -> list[dict[str, Any]]:
        """Tell each target that this is a test, and wait: `target`, `ok`, `error` and `seconds` of each."""
        ...


class Drainable(Protocol):
    """What balancers are told of the daemon."""

    @property
    def drained_since(self) -> float | None:
        """Since when they are told to send no new requests (seconds since the epoch); None: they may."""
        ...

    def drain(self) -> bool:
        """Tell them to send no new requests, and serve those that come; whether that is new."""
        ...

    def undrain(self) -> bool:
        """Tell them that they may again; whether that is new."""
        ...


class WorkspaceReader(Protocol):
    """Where Claude may work with its own tools."""

    @property
    def approvals(self) -> Approvals:
        """What Claude asks for there."""
        ...

    async def rows(self, config: Config, /) -> list[dict[str, Any]]:
        """A dict for each workspace of this configuration, with its problem, if it has one."""
        ...


class Orders(Protocol):
    """What is wanted of the keys on all machines. StoreAwayError, UnknownKey."""

    async def disable(self, name: str, *, disabled: bool) -> None:
        """Disable a key everywhere, or no longer."""
        ...

    async def rotate(self, name: str) -> None:
        """Make it the active one everywhere."""
        ...


class Shares(Protocol):
    """What several machines share."""

    @property
    def orders(self) -> Orders | None:
        """None without a secret of the machines'."""
        ...

    async def read_usage(self, question: UsageQuery, /) -> tuple[dict[str, dict[str, Any]], list[str]] | None:
        """The answers of all machines by name, and which were silent; None without a secret. StoreAwayError."""
        ...


class LedgerReader(Protocol):
    """Who used what."""

    async def read_all(self, question: UsageQuery, /) -> dict[str, Any]:
        """The answer to a question, with how many requests were `lost`, if any were. StateError."""
        ...

    async def knows(self, client: str, /) -> bool:
        """Whether anything is kept of a client of this name, who may have been removed. StateError."""
        ...


class Controllable(Protocol):
    """What the gateway shows of itself. All calls are made on trio's thread."""

    @property
    def config(self) -> Config:
        """What is in effect."""
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
        """None where there is one machine."""
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
        """A dict for each machine that shares a store with this one, itself included; None if nothing is shared.
        StoreAwayError."""
        ...

    def requests(self) -> list[dict[str, Any]]:
        """A dict for each request under way that asks a model, the oldest first. Nothing of its content."""
        ...

    def workers(self) -> list[dict[str, Any]]:
        """A dict for each CLI process."""
        ...

    async def models(self) -> list[dict[str, Any]]:
        """A dict for each model that is offered."""
        ...


class Reloadable(Protocol):
    """What can be changed in a running gateway."""

    @property
    def loaded(self) -> Loaded:
        """What was read last; it differs from the configuration in effect in what waits for a restart."""
        ...

    @property
    def generation(self) -> int:
        """How many configurations have been in effect; 1 after the start."""
        ...

    def status(self) -> dict[str, Any]:
        """Its fields of `GET /v1/status`, without tokens."""
        ...

    async def check(self) -> Mapping[str, Any]:
        """What `reload` would answer, changing nothing. ConfigError, KeysError."""
        ...

    async def reload(self) -> Mapping[str, Any]:
        """Read configuration and keys again; what changed. ConfigError, KeysError: all is as it was."""
        ...

    async def reload_keys(self) -> KeysDiff:
        """Read only the keys again, and take them at once. KeysError: all is as it was."""
        ...

    async def edit_keys(self, edit: Callable[[Path], KeysEdit]) -> KeysEdit:
        """Change the keys file by `edit`, in a thread, and take at once what is there then. KeysError, KeysReadOnly."""
        ...

    async def test_key(self, name: str) -> Mapping[str, Any]:
        """Ask one cheap question under this key; `name`, `ok`, `state`, `until` (of a limit), `error` and
        `seconds`. A key that answers is
        cleared of its marks. UnknownKey."""
        ...


@dataclass(frozen=True, slots=True)
class Controls:
    """All that a handler gets."""

    gateway: Controllable
    reloader: Reloadable
