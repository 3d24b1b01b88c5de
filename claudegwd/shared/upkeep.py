"""Work with the store that is due when something has changed, and repeated until the store has accepted it."""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from claudegwd.shared.connection import StoreAwayError

# How often failed writes are retried; while the store is unreachable, that is cheap.
RETRY_SECONDS: Final = 1.0


class Upkeep:
    """Changes made during the work are not lost: it runs again."""

    def __init__(self) -> None:
        self._due = trio.Event()

    def due(self) -> None:
        """Something has changed. Quick."""
        self._due.set()

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work whenever it is due, forever."""
        while True:
            await self._due.wait()
            self._due = trio.Event()
            try:
                await work()
            except StoreAwayError:
                await trio.sleep(RETRY_SECONDS)
                self.due()
