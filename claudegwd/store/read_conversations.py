"""Kept conversations as they were last read: a request that continues one reads only what is new.

Anything else is read from the kept responses: after a restart, from another machine, or when a client continues the
same response a second time.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from claudegwd.openai_api.responses.input import History
from claudegwd.translate.request.history import Begun

# As JSON; in memory it is two to three times as much. Half of what is kept: the conversations that are under way.
MAX_READ_BYTES: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReadConversation:
    """A conversation up to the input of one response. `begun`: how it was asked."""

    history: History
    begun: Begun | None
    size: int  # as JSON


class ReadConversations:
    """By the id of their last response. Callers have checked the owner."""

    def __init__(self, max_bytes: int = MAX_READ_BYTES) -> None:
        self._max = max_bytes
        self._read: OrderedDict[str, ReadConversation] = OrderedDict()
        self.size = 0

    def note(self, ident: str, previous: str | None, read: ReadConversation) -> None:
        """Hold one; its predecessor is usually done with and dropped, and others may be too."""
        self.forget(ident)
        if previous is not None:
            self.forget(previous)
        self._read[ident] = read
        self.size += read.size
        while self.size > self._max:
            self.forget(next(iter(self._read)))

    def get(self, ident: str) -> ReadConversation | None:
        """One, if present."""
        return self._read.get(ident)

    def forget(self, ident: str) -> None:
        """Drop one, if present."""
        if (read := self._read.pop(ident, None)) is not None:
            self.size -= read.size
