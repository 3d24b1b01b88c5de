"""What this machine shares with others: the store, and the components that use it. Without shared.url: nothing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import trio

from claudegwd import contract
from claudegwd.config.load import Loaded
from claudegwd.config.problems import ConfigError
from claudegwd.config.shared import read_place
from claudegwd.keys.answers import RingChange
from claudegwd.keys.ring import KeyRing
from claudegwd.ledger.query import UsageQuery
from claudegwd.notify.notifications import Notifications
from claudegwd.shared.clients import SharedClients
from claudegwd.shared.connection import StoreUnfitError
from claudegwd.shared.key_states import SharedKeyStates
from claudegwd.shared.limits import SharedLimits
from claudegwd.shared.machines import SharedMachines
from claudegwd.shared.notices import SharedNotices
from claudegwd.shared.orders import SharedOrders
from claudegwd.shared.own_name import OwnName
from claudegwd.shared.patience import patiently
from claudegwd.shared.responses import BULK_SECONDS, SharedResponses
from claudegwd.shared.secret_files import read_password, read_seal
from claudegwd.shared.spending import SharedSpending
from claudegwd.shared.store import SharedStore, trusting
from claudegwd.shared.usage import SharedUsage
from claudegwd.store.client_keys import ClientKeys
from claudegwd.store.responses import KeptResponses
from claudegwd.store.sealing import Seal
from claudegwd.supervised import supervised

# Concurrent queries for the usage of all machines: each is work for all of them.
QUESTIONS_AT_ONCE: Final = 4
# How long a stop waits for the store, which takes a millisecond, or a few round trips if it was restarted.
SETTLE_SECONDS: Final = BULK_SECONDS
SETTLE_LOOK_SECONDS: Final = 0.01  # how often it is checked whether all is sent


def both(*listeners: Callable[[RingChange], None]) -> Callable[[RingChange], None]:
    """Pass the ring's changes to every listener."""

    def tell(change: RingChange) -> None:
        for listener in listeners:
            listener(change)

    return tell


@dataclass(frozen=True, slots=True)
class Parts:
    """What this machine shares. `describe`: what the others are shown about it."""

    ring: KeyRing
    clients: ClientKeys
    responses: KeptResponses
    notifications: Notifications
    read_usage: Callable[[UsageQuery], Awaitable[dict[str, Any]]]
    describe: Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Stores:
    """Connections to the store. `bulk`: a second one, for large values. `own_name`: the name of this machine there."""

    store: SharedStore
    bulk: SharedStore
    own_name: OwnName


def read_secrets(loaded: Loaded, env: Mapping[str, str]) -> tuple[str, Seal | None]:
    """The store's password and the machines' seal, if anything is shared. Blocking. Raises ConfigError."""
    shared = loaded.config.shared
    if not shared.url:
        return "", None
    try:
        if (ca_file := contract.shared_ca_path(loaded.path, shared.ca_file)) is not None:
            trusting(ca_file)
        password = read_password(env, loaded.path, shared.password_file)
        return password, read_seal(env, loaded.path, shared.secret_file)
    except StoreUnfitError as error:
        raise ConfigError(*loaded.origin(error.setting), str(error)) from None


async def open_stores(loaded: Loaded, env: Mapping[str, str], machine: str) -> Stores | None:
    """The stores as configured, not connected yet. None if nothing is shared. Raises ConfigError."""
    shared = loaded.config.shared
    if not shared.url:
        return None
    password, seal = await trio.to_thread.run_sync(read_secrets, loaded, env)
    ca_file = contract.shared_ca_path(loaded.path, shared.ca_file)
    place, name = read_place(shared.url), shared.machine or machine
    store = SharedStore(place, password, name, seal=seal, ca_file=ca_file)
    bulk = SharedStore(place, password, name, patience=BULK_SECONDS, seal=seal, ca_file=ca_file, quiet=True)
    return Stores(store, bulk, OwnName(store, machine, bulk))


class Sharing:
    """`run` it as a task."""

    def __init__(self, loaded: Loaded, stores: Stores, parts: Parts) -> None:
        self._loaded = loaded
        self._own_name = stores.own_name
        self.store = store = stores.store
        self._bulk = bulk = stores.bulk
        self.key_states = SharedKeyStates(store, parts.ring)
        self.machines = SharedMachines(store, parts.describe)
        self.limits = SharedLimits(store, loaded.config.shared.local_share)
        parts.notifications.claim = SharedNotices(store).claim
        self.clients, self.responses, self.orders, self.usage = None, None, None, None
        self._asking = trio.CapacityLimiter(QUESTIONS_AT_ONCE)
        if store.seal is not None:
            self.clients = SharedClients(store, parts.clients, store.seal)
            self.responses = SharedResponses(bulk, parts.responses, store.seal)
            self.orders = SharedOrders(store, parts.ring, store.seal)
            self.usage = SharedUsage(bulk, store.seal, parts.read_usage)
        book = parts.clients.book
        book.share = book.spending.share = self.limits.share
        self.spending = SharedSpending(store, book)
        if self.clients is not None:
            self.clients.on_changed = self.spending.look
        else:
            parts.clients.on_change = lambda _owner: self.spending.look()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run forever. Started once the store was tried. Raises ConfigError before that if only a person can help."""
        async with trio.open_nursery() as nursery:
            try:
                await nursery.start(self.store.run)
                if self.responses is not None:
                    await nursery.start(self._bulk.run)
            except* StoreUnfitError as group:
                error = group.exceptions[0]
                assert isinstance(error, StoreUnfitError)  # noqa: S101 - what was caught
                raise ConfigError(*self._loaded.origin(error.setting), str(error)) from None
            nursery.start_soon(supervised, self._own_name.run, "the name of this machine")
            nursery.start_soon(supervised, self.key_states.run, "the shared states of the upstream keys")
            nursery.start_soon(supervised, self.limits.run, "the shared limits of the clients")
            nursery.start_soon(supervised, self.spending.run, "the shared budgets of the clients")
            if self.clients is not None:
                nursery.start_soon(supervised, self.clients.run, "the shared client keys")
            if self.responses is not None:
                nursery.start_soon(supervised, self.responses.run, "the shared responses")
            if self.usage is not None:
                nursery.start_soon(supervised, self.usage.run, "the usage of all machines")
            if self.orders is not None:
                nursery.start_soon(supervised, self.orders.run, "commands for all machines")
            nursery.start_soon(supervised, self.machines.run, "announcing this machine to the others")
            task_status.started()

    async def rows(self) -> list[dict[str, Any]]:
        """A dict for each machine (SharedMachines.rows). Raises StoreAwayError."""
        return await patiently(self.machines.rows)

    async def read_usage(self, question: UsageQuery) -> tuple[dict[str, dict[str, Any]], list[str]] | None:
        """All machines' answers by name, and which are silent or gone; None without a secret. Raises StoreAwayError."""
        if self.usage is None:
            return None
        async with self._asking:
            rows = await self.rows()
            there = [row["machine"] for row in rows if row["state"] != "gone"]
            answers = await patiently(partial(self.usage.read_all, question, there))
        return answers, [row["machine"] for row in rows if row["machine"] not in answers]

    def sealed_after(self, seal: Seal) -> Seal:
        """The seal for clients' texts from now on: all machines share it, and it also opens what this one sealed."""
        return self.store.seal.after(seal) if self.store.seal is not None else seal

    async def fetch_response(self, owner: str, ident: str) -> bool:
        """Fetch another machine's kept response, by its id or an item's. Returns whether there was one."""
        return self.responses is not None and await self.responses.fetch(owner, ident)

    async def delete_response(self, owner: str, ident: str) -> bool:
        """Delete a kept response on all machines. Returns whether another one had it."""
        return self.responses is not None and await self.responses.delete(owner, ident)

    async def settle(self) -> None:
        """At the end: wait a moment until the store has the last answers, which would be lost with this machine."""
        if self.responses is None:
            return
        with trio.move_on_after(SETTLE_SECONDS):
            while self.responses.unsent() and self._bulk.away_since is None:  # noqa: ASYNC110 - only briefly
                await trio.sleep(SETTLE_LOOK_SECONDS)

    def status(self) -> dict[str, Any]:
        """For `claudegwctl status`. Large values may not get through although small ones do."""
        found = self.store.status()
        if self.responses is None or found["away_since"] is not None or self._bulk.away_since is None:
            return found
        bulk = self._bulk.status()
        return {**bulk, "problem": f"for kept responses and usage: {bulk['problem']}"}
