"""What machines tell each other about an upstream key: its problem, and since when it is known. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from claudegwd.keys.states import TIMED, KeyEvent, KeyState

# Of the states those that the upstream has caused. "ready": what stood against the key was cleared; which key is the
# active one, and which are disabled, each machine says for itself.
EVENTS: Final[Mapping[KeyState, KeyEvent]] = MappingProxyType(
    {
        KeyState.READY: KeyEvent.CLEARED,
        KeyState.COOLING: KeyEvent.LIMITED,
        KeyState.EXHAUSTED: KeyEvent.SPENT,
        KeyState.INVALID: KeyEvent.REFUSED,
    }
)


class KeyMark(msgspec.Struct, frozen=True):
    """`digest`: UpstreamKey.digest. `at`: when it was learned, `until`: when it is over; seconds since the epoch."""

    digest: str
    state: KeyState
    at: float
    until: float = 0.0
    by: str = ""  # the machine that learned it

    def stands(self, now: float) -> bool:
        """Whether it is still against the key."""
        return self.state is KeyState.INVALID or (self.state in TIMED and self.until > now)


def mark_of(digest: str, state: KeyState, until: float, at: float, by: str) -> KeyMark:
    """The mark that a key's state amounts to."""
    return KeyMark(digest, state if state in EVENTS else KeyState.READY, at, until if state in TIMED else 0.0, by)


def encode_mark(mark: KeyMark) -> bytes:
    """As it is stored and sent. There is nothing of the token in it but its digest."""
    return msgspec.json.encode(mark)


def decode_mark(data: bytes) -> KeyMark | None:
    """None for what is no mark: of another version, or of somebody else."""
    try:
        mark = msgspec.json.decode(data, type=KeyMark)
    except (msgspec.DecodeError, ValueError):
        return None
    return mark if mark.state in EVENTS else None
