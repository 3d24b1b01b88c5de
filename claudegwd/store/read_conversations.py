"""Kept conversations as they were last read: the request that goes on from one reads only what is new.

What is not here is read from the kept responses themselves: after a restart, from another machine, or when a client
goes on a second time from the same response.
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
    """A conversation up to the input of one response. `begun`: what it was asked as."""

    history: History
    begun: Begun | None
    size: int  # as JSON


class ReadConversations:
    """By the id of their last response. Whose it is has been checked by whoever asks."""

    def __init__(self, max_bytes: int = MAX_READ_BYTES) -> None:
        self._max = max_bytes
        self._read: OrderedDict[str, ReadConversation] = OrderedDict()
        self.size = 0

    def note(self, ident: str, previous: str | None, read: ReadConversation) -> None:
        """Hold one; that which it goes on from is mostly done with, and others may have to go."""
        self.forget(ident)
        if previous is not None:
            self.forget(previous)
        self._read[ident] = read
        self.size += read.size
        while self.size > self._max:
            self.forget(next(iter(self._read)))

    def get(self, ident: str) -> ReadConversation | None:
        """One, if it is here."""
        return self._read.get(ident)

    def forget(self, ident: str) -> None:
        """Let go of one, if it is here."""
        if (read := self._read.pop(ident, None)) is not None:
            self.size -= read.size
