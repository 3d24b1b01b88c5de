"""Shares what a machine learns about an upstream key: that it is limited, exhausted or rejected, or works again.

Each machine has its own ring, which never waits for another. Changes in it are written to the store and published;
changes that others publish are applied to it. The latest report on a key counts, by the clock of the machine that made
it.
"""

import time
from collections.abc import Callable
from typing import Final

from claudegwd.keys.answers import RingChange
from claudegwd.keys.entry import RememberedKey
from claudegwd.keys.marks import KeyMark, decode_mark, encode_mark, mark_of
from claudegwd.keys.ring import KeyRing
from claudegwd.keys.states import TIMED, KeyState
from claudegwd.shared.store import Script, SharedStore
from claudegwd.shared.upkeep import Upkeep
from claudegwd.store.change_time import next_change

# How long it is remembered that a key was refused or cleared, after the last machine reported it.
KEEP_SECONDS: Final = 30 * 86_400.0
# Clocks differ: a mark stays in the store this much longer than it is valid, which does no harm.
OVERLAP_SECONDS: Final = 60.0

_WRITE: Final = Script(
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\nreturn redis.call('PUBLISH', ARGV[3], ARGV[1])"
)


class SharedKeyStates:
    """Give `note` to the ring's changes, and `run` it as a task. `clock`: wall clock, seconds."""

    def __init__(self, store: SharedStore, ring: KeyRing, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._known: dict[str, KeyMark] = {}  # by the key's digest: the latest report by any machine
        self._upkeep = Upkeep()
        self._channel = store.channel("keys")
        store.on_message[self._channel] = self._hear
        store.on_connected.append(self._connected)

    def note(self, change: RingChange) -> None:
        """The ring has changed. Quick."""
        if change is RingChange.STATE:
            self._upkeep.due()

    async def run(self) -> None:
        """Forever: synchronize the store and the ring whenever either may have changed."""
        await self._upkeep.run(self.bring_together)

    async def bring_together(self) -> None:
        """Apply what is newer in the store, and write what is newer here. Raises StoreAwayError."""
        digests = [row.digest for row in self._ring.remembered()]
        # Keys that have been removed are forgotten: over months there may be any number of them.
        self._known = {digest: self._known[digest] for digest in digests if digest in self._known}
        if not digests:
            return
        found = await self._store.call("MGET", *map(self._name, digests))
        for digest, data in zip(digests, found, strict=True):
            known = self._known.get(digest)
            if data is not None:
                self._take(decode_mark(data))
            elif known is not None and (known.state is KeyState.READY or known.stands(self._clock())):
                await self._write(known)  # the store was restarted, and is empty
        for row in self._ring.remembered():
            mark = self._news(row)
            if mark is not None:
                await self._write(mark)

    async def _connected(self) -> None:
        self._upkeep.due()

    def _hear(self, content: bytes) -> None:
        self._take(decode_mark(content))

    def _take(self, mark: KeyMark | None) -> None:
        if mark is None:
            return
        known = self._known.get(mark.digest)
        if known is not None and known.at >= mark.at:
            return
        ours = next((row for row in self._ring.remembered() if row.digest == mark.digest), None)
        if ours is None or (known is None and _since(ours) > mark.at):
            return  # not our key, or we know something later
        self._known[mark.digest] = mark
        self._ring.learn(mark, self._clock())

    def _news(self, row: RememberedKey) -> KeyMark | None:
        """What to report about this key: None if all know it already."""
        now = self._clock()
        if row.state is KeyState.DISABLED:
            return None  # nothing is known of the upstream's view of it
        mark = mark_of(row.digest, row.state, row.until, _since(row) or now, self._store.name)
        known = self._known.get(row.digest)
        if known is None:
            return mark if mark.stands(now) else None
        if (known.state, known.until) == (mark.state, mark.until):
            return None
        if not known.stands(now) and not mark.stands(now):
            return None  # it has expired, everywhere
        if mark.at > known.at:
            return mark
        # What changed here was known to be `known`, perhaps by a clock that is ahead.
        return KeyMark(mark.digest, mark.state, next_change(now, known.at), mark.until, mark.by)

    async def _write(self, mark: KeyMark) -> None:
        keep = mark.until - mark.at + OVERLAP_SECONDS if mark.state in TIMED else KEEP_SECONDS
        milliseconds = max(1, int(keep * 1000))
        await self._store.run_script(
            _WRITE, [self._name(mark.digest)], encode_mark(mark), milliseconds, self._channel
        )  # fmt: skip
        self._known[mark.digest] = mark

    def _name(self, digest: str) -> str:
        return self._store.key("key", digest)


def _since(row: RememberedKey) -> float:
    """When the failure that blocks a key was learned; 0: none does."""
    return row.last_error_at or 0.0 if row.state in TIMED or row.state is KeyState.INVALID else 0.0
