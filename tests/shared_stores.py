"""Machines that share a real store, in one process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from claudegwd.config.shared import read_place
from claudegwd.shared.connection import StoreUnfitError
from claudegwd.shared.store import SharedStore
from claudegwd.store.sealing import KEY_BYTES, Seal

PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.01
SECRET = bytes(range(KEY_BYTES))  # of all machines


def store_of(
    url: str,
    name: str = "one",
    password: str = "",
    patience: float = PATIENCE_SECONDS,
    seal: Seal | None = None,
    ca_file: Path | None = None,
) -> SharedStore:
    """On a machine that many use at the same time, milliseconds would be a matter of luck."""
    return SharedStore(read_place(url), password, name, patience=patience, seal=seal, ca_file=ca_file)


@asynccontextmanager
async def connected(*stores: SharedStore) -> AsyncIterator[trio.Nursery]:
    """These, run until the end."""
    async with trio.open_nursery() as nursery:
        for store in stores:
            await nursery.start(store.run)
        yield nursery
        nursery.cancel_scope.cancel()


async def until(holds: Callable[[], object]) -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        while not holds():
            await trio.sleep(POLL_SECONDS)


async def refused(store: SharedStore) -> StoreUnfitError:
    """Why only a person can help with it."""
    with pytest.RaisesGroup(StoreUnfitError, flatten_subgroups=True) as caught:
        async with connected(store):
            pass
    found = caught.value
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, StoreUnfitError)
    return found
