"""Changes of key states, each reported once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from claudegwd.keys.entry import KeyEntry
from claudegwd.keys.states import USABLE, KeyState

TOLD: Final = "told"  # the reason when another machine learned it, and notified people


@dataclass(frozen=True, slots=True)
class KeyNews:
    """One key's change of state. `before` None: it is new; `after` None: it was removed.

    `until`: seconds since the epoch, if it comes back by itself; `soonest`: when the first of all keys does.
    `usable`: how many are left after this change and those told before it; `keys`: how many there are now.
    """

    name: str
    before: KeyState | None
    after: KeyState | None
    reason: str
    until: float | None
    usable: int
    keys: int
    soonest: float | None = None

    @property
    def lost(self) -> bool:
        """Whether it was usable before and is not now."""
        return self.before in USABLE and self.after not in USABLE

    @property
    def last(self) -> bool:
        """Whether the last usable key is lost with it. Without any keys, the login is used, and nothing is lost."""
        return self.lost and not self.usable and self.keys > 0


class ToldStates:
    """The states last reported. `entries` are always the ring's, by name."""

    def __init__(self, entries: Mapping[str, KeyEntry]) -> None:
        self._states = _states(entries)

    def tell(
        self, entries: Mapping[str, KeyEntry], listener: Callable[[KeyNews], None], reason: str, about: str | None
    ) -> None:
        """Report what has changed. `about`: the key that `reason` applies to; others changed because of it."""
        before, self._states = self._states, _states(entries)
        usable = sum(entry.usable for entry in entries.values())
        soonest = min((entry.until for entry in entries.values() if entry.until), default=None)
        names = [*before, *(name for name in self._states if name not in before)]
        changed = [name for name in names if before.get(name) is not self._states.get(name)]
        # Of keys that are lost together, only one is the last.
        lost = [name for name in changed if before.get(name) in USABLE and self._states.get(name) not in USABLE]
        for name in changed:
            lost = [other for other in lost if other != name]
            why = reason if about in (None, name) else f"{reason} of {about}"
            until = entries[name].until or None if name in entries else None
            after = self._states.get(name)
            listener(KeyNews(name, before.get(name), after, why, until, usable + len(lost), len(entries), soonest))


def _states(entries: Mapping[str, KeyEntry]) -> dict[str, KeyState]:
    return {name: entry.state for name, entry in entries.items()}
