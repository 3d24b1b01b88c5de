"""What is known about the upstream's limit windows of each key. Pure: the time is an argument."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

# An upstream reports a handful; others may send any number.
WINDOWS_MAX: Final = 16
# Including keys that were removed, whose windows may remain.
KEYS_MAX: Final = 2000
# Used up to this share, a window is worth a notification.
FULL_FROM: Final = 0.9
# Windows without a reset time are windows of a minute: after this, what they reported is out of date.
UNDATED_SECONDS: Final = 60.0


class SeenWindow(Protocol):
    """A window as reported by an answer."""

    @property
    def name(self) -> str: ...

    @property
    def used(self) -> float: ...

    @property
    def resets(self) -> float | None: ...

    @property
    def status(self) -> str: ...

    @property
    def extra(self) -> bool: ...


class Windows:
    """`on_full` is called once for each window used up to FULL_FROM: key, window, share, reset."""

    def __init__(self) -> None:
        self.on_full: Callable[[str, str, float, float | None], None] = lambda *_: None
        self._of: dict[str, dict[str, tuple[SeenWindow, float]]] = {}
        self._told: dict[tuple[str, str], float] = {}  # when it may be reported again

    def note(self, key: str, windows: Iterable[SeenWindow], now: float) -> None:
        """An answer with this key reported them."""
        if key not in self._of and len(self._of) >= KEYS_MAX:
            return
        known = self._of.setdefault(key, {})
        for window in windows:
            if window.name in known or len(known) < WINDOWS_MAX:
                known[window.name] = (window, now)
                self._tell(key, window, now)

    def follow(self, names: Mapping[str, str]) -> None:
        """Keep what is known about these keys (old name by new name), and forget all others."""
        self._of = {new: self._of[old] for new, old in names.items() if old in self._of}
        new_of = {old: new for new, old in names.items()}
        self._told = {(new_of[key], window): at for (key, window), at in self._told.items() if key in new_of}

    def _tell(self, key: str, window: SeenWindow, now: float) -> None:
        place = (key, window.name)
        if window.used >= FULL_FROM and self._told.get(place, 0.0) <= now:
            self._told[place] = window.resets or now + UNDATED_SECONDS
            self.on_full(key, window.name, window.used, window.resets)

    def used(self, key: str, now: float) -> float:
        """The used share of this key's fullest window; 0 if nothing is known."""
        return max((window.used for window, _ in self._live(key, now)), default=0.0)

    def rows(self, now: float) -> list[dict[str, Any]]:
        """A dict for each window that has not reset since."""
        return [
            {
                "key": key,
                "window": window.name,
                "used": round(window.used, 4),
                "resets": window.resets,
                "status": window.status,
                "extra_usage": window.extra,
                "seen": at,
            }
            for key in self._of
            for window, at in self._live(key, now)
        ]

    def _live(self, key: str, now: float) -> Iterator[tuple[SeenWindow, float]]:
        for window, at in self._of.get(key, {}).values():
            if now < (window.resets if window.resets is not None else at + UNDATED_SECONDS):
                yield window, at
