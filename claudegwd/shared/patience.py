"""Calls to the store on behalf of a person: timeouts of milliseconds are for requests."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import trio

from claudegwd.shared.connection import StoreAwayError

# How long a command keeps trying: a store that was only slow for a moment is used again within a second.
PERSON_SECONDS: Final = 3.0
PAUSE_SECONDS: Final = 0.25  # between two tries

_T = TypeVar("_T")


async def patiently(ask: Callable[[], Awaitable[_T]]) -> _T:
    """Ask for a person, who would rather wait a few seconds than see an error. Raises StoreAwayError."""
    until = trio.current_time() + PERSON_SECONDS
    while True:
        try:
            return await ask()
        except StoreAwayError:
            if trio.current_time() >= until:
                raise
        await trio.sleep(PAUSE_SECONDS)
