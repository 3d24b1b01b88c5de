"""What machines tell each other about an upstream key: its problem, and when it was learned. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from claudegwd.keys.states import TIMED, KeyEvent, KeyState

# The states that the upstream causes. "ready": the key's failures were cleared. Which key is active, and which are
# disabled, each machine decides for itself.
EVENTS: Final[Mapping[KeyState, KeyEvent]] = MappingProxyType(
    {
        KeyState.READY: KeyEvent.CLEARED,
        KeyState.COOLING: KeyEvent.LIMITED,
        KeyState.EXHAUSTED: KeyEvent.SPENT,
        KeyState.INVALID: KeyEvent.REFUSED,
    }
)


class KeyMark(msgspec.Struct, frozen=True):
    """`digest`: UpstreamKey.digest. `at`: when it was learned, `until`: when it expires; seconds since the epoch."""

    digest: str
    state: KeyState
    at: float
    until: float = 0.0
    by: str = ""  # the machine that learned it

    def stands(self, now: float) -> bool:
        """Whether it still blocks the key."""
        return self.state is KeyState.INVALID or (self.state in TIMED and self.until > now)


def mark_of(digest: str, state: KeyState, until: float, at: float, by: str) -> KeyMark:
    """The mark for a key's state."""
    return KeyMark(digest, state if state in EVENTS else KeyState.READY, at, until if state in TIMED else 0.0, by)


def encode_mark(mark: KeyMark) -> bytes:
    """As stored and sent. All that it contains of the token is the digest."""
    return msgspec.json.encode(mark)


def decode_mark(data: bytes) -> KeyMark | None:
    """None if it is not a mark: from another version, or not written by us."""
    try:
        mark = msgspec.json.decode(data, type=KeyMark)
    except (msgspec.DecodeError, ValueError):
        return None
    return mark if mark.state in EVENTS else None
