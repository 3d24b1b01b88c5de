"""Responses that are kept for previous_response_id and GET /v1/responses: in memory, for a while.

They are what people wrote and what they were answered, so they are never in the state file; a restart loses them, and a
client that would go on from one is told so. Each owner (a client key) sees its own only.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

# Of all clients together, some ten thousand agent turns. Beyond it, whoever holds most loses what it has not used for
# longest.
MAX_BYTES: Final = 64 * 1024 * 1024
# What a kept response takes beside its texts; it bounds their number too.
OVERHEAD_BYTES: Final = 2048
KEEP_SECONDS: Final = 24 * 3600.0  # since its last use: nobody comes back to a chain of yesterday's by its id
SWEEP_SECONDS: Final = 60.0  # how often old ones are looked for, when there is anything to do at all

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """`body` is the response object as it was sent; `items` the input that it answered, each with an id, as JSON."""

    ident: str
    previous: str | None
    body: bytes
    items: bytes

    @property
    def size(self) -> int:
        """What it counts for."""
        return len(self.body) + len(self.items) + OVERHEAD_BYTES

    def input(self) -> list[Item]:
        """Its own input."""
        items: list[Item] = _decoded(self.items)
        return items

    def output(self) -> list[Item]:
        """What was answered."""
        output: list[Item] = _decoded(self.body)["output"]
        return output


def _decoded(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)  # half of a surrogate pair, which a model may write


@dataclass(slots=True)
class _Owned:
    # In the order of their last use, which is the time beside them.
    responses: OrderedDict[str, tuple[float, KeptResponse]] = field(default_factory=OrderedDict)
    places: dict[str, str] = field(default_factory=dict)  # item id -> response id
    size: int = 0


class KeptResponses:
    """A bounded store. `now` is any clock of seconds that does not go back."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max = max_bytes
        self._owners: dict[str, _Owned] = {}
        self._swept = 0.0
        self.size = 0  # of all

    def keep(self, owner: str, kept: KeptResponse, now: float) -> None:
        """Keep one; others may have to go for it."""
        self._sweep(now)
        if kept.size > self._max:
            return
        owned = self._owners.setdefault(owner, _Owned())
        owned.responses[kept.ident] = (now, kept)
        owned.size += kept.size
        self.size += kept.size
        for item in (*kept.input(), *kept.output()):
            owned.places[item["id"]] = kept.ident
        while self.size > self._max:
            largest = max(self._owners, key=lambda name: self._owners[name].size)
            self.delete(largest, next(iter(self._owners[largest].responses)))

    def get(self, owner: str, ident: str, now: float) -> KeptResponse | None:
        """One of the owner's."""
        self._sweep(now)
        owned = self._owners.get(owner)
        if owned is None or ident not in owned.responses:
            return None
        used, kept = owned.responses[ident]
        if now - used > KEEP_SECONDS:
            return None
        owned.responses[ident] = (now, kept)
        owned.responses.move_to_end(ident)
        return kept

    def delete(self, owner: str, ident: str) -> bool:
        """Forget one; whether it was there. Nothing can go on from it, nor from those that went on from it."""
        owned = self._owners.get(owner)
        if owned is None or ident not in owned.responses:
            return False
        kept = owned.responses.pop(ident)[1]
        owned.size -= kept.size
        self.size -= kept.size
        for item in (*kept.input(), *kept.output()):
            if owned.places.get(item["id"]) == ident:
                del owned.places[item["id"]]
        if not owned.responses:
            del self._owners[owner]
        return True

    def of(self, owner: str, now: float) -> "OwnResponses":
        """What this owner may go on from."""
        return OwnResponses(self, owner, now)

    def find_item(self, owner: str, item_id: str, now: float) -> Item | None:
        """An item of the input or the output of any of the owner's."""
        owned = self._owners.get(owner)
        kept = self.get(owner, owned.places.get(item_id, ""), now) if owned is not None else None
        if kept is None:
            return None
        return next((item for item in (*kept.input(), *kept.output()) if item["id"] == item_id), None)

    def _sweep(self, now: float) -> None:
        if now - self._swept < SWEEP_SECONDS:
            return
        self._swept = now
        for owner, owned in list(self._owners.items()):
            old = [ident for ident, (used, _) in owned.responses.items() if now - used > KEEP_SECONDS]
            for ident in old:
                self.delete(owner, ident)


@dataclass(frozen=True, slots=True)
class OwnResponses:
    """One owner's responses, as the reader of a request asks for them."""

    kept: KeptResponses
    owner: str
    now: float

    def conversation(self, ident: str) -> Sequence[Mapping[str, Any]] | None:
        """All items up to the end of this response, the oldest first; None if any part is gone."""
        rounds: list[KeptResponse] = []
        following: str | None = ident
        while following is not None:
            found = self.kept.get(self.owner, following, self.now)
            if found is None:
                return None
            rounds.append(found)
            following = found.previous
        return [item for one in reversed(rounds) for item in (*one.input(), *one.output())]

    def item(self, ident: str) -> Mapping[str, Any] | None:
        """One item."""
        return self.kept.find_item(self.owner, ident, self.now)
