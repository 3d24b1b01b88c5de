"""The queue for workers: bounded, and fair between clients. Pure."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class FairQueue(Generic[T]):
    """Each client has its own line, and the lines take turns: one busy client cannot starve the others."""

    bound: int
    _lines: OrderedDict[str, deque[T]] = field(default_factory=OrderedDict)
    _length: int = 0

    def __len__(self) -> int:
        return self._length

    @property
    def full(self) -> bool:
        return self._length >= self.bound

    def put(self, client: str, item: T) -> None:
        """Add to the end of the client's line. The caller has checked `full`."""
        self._lines.setdefault(client, deque()).append(item)
        self._length += 1

    def put_first(self, client: str, item: T) -> None:
        """Return to the head of the client's line, and move that line before the others."""
        self._lines.setdefault(client, deque()).appendleft(item)
        self._lines.move_to_end(client, last=False)
        self._length += 1

    def head(self) -> T | None:
        """The next in turn, without removing it."""
        return next(iter(self._lines.values()))[0] if self._lines else None

    def pop(self) -> T:
        """Take the head; its client moves behind the others. Raises LookupError if the queue is empty."""
        if not self._lines:
            raise LookupError("nobody waits")
        client, line = next(iter(self._lines.items()))
        item = line.popleft()
        self._length -= 1
        if line:
            self._lines.move_to_end(client)
        else:
            del self._lines[client]
        return item

    def discard(self, client: str, item: T) -> None:
        """Remove an item that no longer waits, if it is there."""
        line = self._lines.get(client)
        if line is None or item not in line:
            return
        line.remove(item)
        self._length -= 1
        if not line:
            del self._lines[client]
