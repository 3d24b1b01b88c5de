"""The queue for workers: bounded, and fair between clients. Pure."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class FairQueue(Generic[T]):
    """Each client has a line of its own, and the lines take turns: one busy client cannot starve the others."""

    bound: int
    _lines: OrderedDict[str, deque[T]] = field(default_factory=OrderedDict)
    _length: int = 0

    def __len__(self) -> int:
        return self._length

    @property
    def full(self) -> bool:
        return self._length >= self.bound

    def put(self, client: str, item: T) -> None:
        """Add at the end of the client's line. The caller has looked at `full`."""
        self._lines.setdefault(client, deque()).append(item)
        self._length += 1

    def put_first(self, client: str, item: T) -> None:
        """Give back a place: at the head of the client's line, and that before the others."""
        self._lines.setdefault(client, deque()).appendleft(item)
        self._lines.move_to_end(client, last=False)
        self._length += 1

    def head(self) -> T | None:
        """Whose turn it is, without taking it."""
        return next(iter(self._lines.values()))[0] if self._lines else None

    def pop(self) -> T:
        """Take the head; its client goes behind the others. Raises LookupError when nobody waits."""
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
        """Take out one who no longer waits; nothing happens if it is not there."""
        line = self._lines.get(client)
        if line is None or item not in line:
            return
        line.remove(item)
        self._length -= 1
        if not line:
            del self._lines[client]
