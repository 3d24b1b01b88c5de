"""What this machine shares with others: the store, and the parts that live in it. Without shared.url: nothing."""

from collections.abc import Callable, Mapping
from typing import Any

import trio

from claudegwd.config.load import Loaded
from claudegwd.config.problems import ConfigError
from claudegwd.config.shared import read_place
from claudegwd.keys.answers import RingChange
from claudegwd.keys.ring import KeyRing
from claudegwd.shared.key_states import SharedKeyStates
from claudegwd.shared.limits import SharedLimits
from claudegwd.shared.machines import SharedMachines
from claudegwd.shared.password import read_password
from claudegwd.shared.store import SharedStore, StoreUnfitError
from claudegwd.supervised import supervised


def both(*listeners: Callable[[RingChange], None]) -> Callable[[RingChange], None]:
    """Tell each of the ring's changes."""

    def tell(change: RingChange) -> None:
        for listener in listeners:
            listener(change)

    return tell


class Sharing:
    """`run` it as a task."""

    def __init__(
        self, loaded: Loaded, store: SharedStore, ring: KeyRing, describe: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._loaded = loaded
        self.store = store
        self.key_states = SharedKeyStates(store, ring)
        self.machines = SharedMachines(store, describe)
        self.limits = SharedLimits(store, loaded.config.shared.local_share)

    @classmethod
    async def open(
        cls,
        loaded: Loaded,
        env: Mapping[str, str],
        machine: str,
        ring: KeyRing,
        describe: Callable[[], Mapping[str, Any]],
    ) -> "Sharing | None":
        """None if nothing is shared. `describe`: what the others are shown of this machine. Raises ConfigError."""
        shared = loaded.config.shared
        if not shared.url:
            return None
        try:
            password = await trio.to_thread.run_sync(read_password, env, loaded.path, shared.password_file)
        except StoreUnfitError as error:
            raise ConfigError(*loaded.origin(error.setting), str(error)) from None
        store = SharedStore(read_place(shared.url), password, shared.machine or machine)
        return cls(loaded, store, ring, describe)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """For ever. Started once the store was tried; ConfigError before that if only a person can help."""
        async with trio.open_nursery() as nursery:
            try:
                await nursery.start(self.store.run)
            except* StoreUnfitError as group:
                error = group.exceptions[0]
                assert isinstance(error, StoreUnfitError)  # noqa: S101 - what was caught
                raise ConfigError(*self._loaded.origin(error.setting), str(error)) from None
            nursery.start_soon(supervised, self.key_states.run, "the shared states of the upstream keys")
            nursery.start_soon(supervised, self.limits.run, "the shared limits of the clients")
            nursery.start_soon(supervised, self.machines.run, "telling the other machines of this one")
            task_status.started()

    def status(self) -> dict[str, Any]:
        """For `claudegwctl status`."""
        return self.store.status()
