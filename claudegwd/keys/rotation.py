"""Which key is the active one, and which comes next. Pure."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from claudegwd.keys.entry import KeyEntry
from claudegwd.keys.states import KeyEvent, KeyState

# By headroom, another key becomes active only if it has this much more left: changing means a cold prompt cache.
HEADROOM_STEP: Final = 0.05
ASKED: Final = "asked"  # the reason when a person chooses the key: it stays active until it is lost


class Rotation:
    """At most one of the ring's entries is active. `counts`: changes of the active key, by reason."""

    def __init__(self, entries: Mapping[str, KeyEntry]) -> None:
        self.counts: Counter[str] = Counter()
        self._entries = entries
        self._turn: str | None = None  # the last active key: rotation continues from its place
        self._asked = False  # a person made it the active one
        self.to_next(None)

    def active(self) -> KeyEntry | None:
        return next((entry for entry in self._entries.values() if entry.state is KeyState.ACTIVE), None)

    def order(self, prefer: str | None = None) -> Iterator[KeyEntry]:
        """The preferred key, the active one, then the rest in file order from there, wrapping around."""
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
        """Make it the active one; if another was active before, that is a rotation for this reason (None: none)."""
        current = self.active()
        if current is entry:
            self._asked = self._asked or reason == ASKED
            return
        self._asked = reason == ASKED
        if current is not None:
            current.fire(KeyEvent.PASSED_ON)
        entry.fire(KeyEvent.ACTIVATED)
        if reason is not None and self._turn not in (None, entry.key.name):
            self.counts[reason] += 1
        self._turn = entry.key.name

    def to_next(self, reason: str | None) -> bool:
        """Ensure that a ready key is active if there is one. Returns whether that changed anything."""
        if self.active() is not None or (entry := self.next_ready()) is None:
            return False
        self.to(entry, reason)
        return True

    def to_roomiest(self, used: Callable[[str], float]) -> bool:
        """Activate the key with the most left of its limits, if the active one has clearly less, unless a person chose
        that one. Returns whether it did. `used`: the share of its limits that a key has used."""
        active = self.active()
        if active is None or self._asked:
            return False
        usable = [entry for entry in self._entries.values() if entry.usable]
        best = min(usable, key=lambda entry: used(entry.key.name))
        if used(active.key.name) - used(best.key.name) <= HEADROOM_STEP:
            return False
        self.to(best, "headroom")
        return True

    def follow(self, entries: Mapping[str, KeyEntry], renamed: Mapping[str, str], removed: Collection[str]) -> None:
        """The ring's entries have changed. `renamed`: the old names by the new ones."""
        if self._turn in renamed.values():
            self._turn = next(new for new, name in renamed.items() if name == self._turn)
        if self._turn in removed:
            self.counts["changed"] += 1
            # Continue after the removed one's place, not from the head of the file.
            behind = (entry.key.name for entry in self.order() if entry.key.name not in removed)
            self._turn = next(behind, None)
        self._entries = entries
