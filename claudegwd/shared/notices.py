"""Decides which machine sends a notice that is the same on all machines: the first one that asks."""

import hashlib
from typing import Final

from claudegwd.notify.notice import Notice
from claudegwd.shared.connection import StoreAwayError
from claudegwd.shared.store import SharedStore

# What two machines report within this time is a single event. An event with a known end is a single event until then.
SAME_SECONDS: Final = 60.0


class SharedNotices:
    """Asks the store, which knows which machine has sent what."""

    def __init__(self, store: SharedStore) -> None:
        self._store = store

    async def claim(self, notice: Notice) -> bool:
        """Whether this machine should send it, as no other has. While the store is away: better twice than never."""
        seconds = max(SAME_SECONDS, notice.once_until - notice.time)
        words = ("SET", self._key(notice), self._store.name, "NX", "GET", "PX", int(seconds * 1000))
        try:
            by = await self._store.call(*words)
        except StoreAwayError:
            return True
        # The machine itself knows what it has already sent.
        return by is None or bool(by == self._store.name.encode())

    def _key(self, notice: Notice) -> str:
        place = "\0".join((notice.event.value, notice.subject, notice.part))
        return self._store.key("told", hashlib.sha256(place.encode("utf-8", "surrogatepass")).hexdigest())
