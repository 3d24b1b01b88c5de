"""Which key is the active one, and which comes next. Pure."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from claudegwd.keys.entry import KeyEntry
from claudegwd.keys.states import KeyEvent, KeyState

# By headroom another key becomes active only if it has so much more left: a new one is a cold prompt cache.
HEADROOM_STEP: Final = 0.05


class Rotation:
    """At most one of the ring's entries is active. `counts`: changes of the active key, by reason."""

    def __init__(self, entries: Mapping[str, KeyEntry]) -> None:
        self.counts: Counter[str] = Counter()
        self._entries = entries
        self._turn: str | None = None  # the last active key: rotation goes on from its place
        self.to_next(None)

    def active(self) -> KeyEntry | None:
        return next((entry for entry in self._entries.values() if entry.state is KeyState.ACTIVE), None)

    def order(self, prefer: str | None = None) -> Iterator[KeyEntry]:
        """The preferred key, the active one, then file order going on behind it and around."""
        if prefer is not None and prefer in self._entries:
            yield self._entries[prefer]
        names = list(self._entries)
        start = names.index(self._turn) if self._turn is not None and self._turn in self._entries else 0
        for name in names[start:] + names[:start]:
            yield self._entries[name]

    def next_ready(self) -> KeyEntry | None:
        """The next one that is ready and not active."""
        return next((entry for entry in self.order() if entry.state is KeyState.READY), None)

    def to(self, entry: KeyEntry, reason: str | None) -> None:
        """Make it the active one; a rotation for this reason, if another was so before (None: no rotation)."""
        current = self.active()
        if current is entry:
            return
        if current is not None:
            current.fire(KeyEvent.PASSED_ON)
        entry.fire(KeyEvent.ACTIVATED)
        if reason is not None and self._turn not in (None, entry.key.name):
            self.counts[reason] += 1
        self._turn = entry.key.name

    def to_next(self, reason: str | None) -> bool:
        """See that a ready key is active if there is one; whether that changed anything."""
        if self.active() is not None or (entry := self.next_ready()) is None:
            return False
        self.to(entry, reason)
        return True

    def to_roomiest(self, used: Callable[[str], float]) -> bool:
        """Make the key active that has the most left of its limits, if the active one has clearly less; whether it was
        so. `used`: the share of its limits that a key has used."""
        active = self.active()
        if active is None:
            return False
        usable = [entry for entry in self._entries.values() if entry.usable]
        best = min(usable, key=lambda entry: used(entry.key.name))
        if used(active.key.name) - used(best.key.name) <= HEADROOM_STEP:
            return False
        self.to(best, "headroom")
        return True

    def follow(self, entries: Mapping[str, KeyEntry], renamed: Mapping[str, str], removed: Collection[str]) -> None:
        """Other entries are in the ring. `renamed`: the old names by the new ones."""
        if self._turn in renamed.values():
            self._turn = next(new for new, name in renamed.items() if name == self._turn)
        if self._turn in removed:
            self.counts["changed"] += 1
            # Go on behind the place of the removed one, not at the head of the file.
            behind = (entry.key.name for entry in self.order() if entry.key.name not in removed)
            self._turn = next(behind, None)
        self._entries = entries
