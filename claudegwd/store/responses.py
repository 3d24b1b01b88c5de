"""Responses that are kept for previous_response_id and GET /v1/responses: in memory, for a limited time.

They contain conversations, so they are never in the state file. They are lost in a restart, and a client that wants to
continue from one gets an error that says so, unless the operator keeps them on disk (response_files.py). Each owner (a
client key) sees only its own.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import BodyTooLarge
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.responses.input import PREVIOUS, History, read_items
from claudegwd.store.read_conversations import ReadConversation, ReadConversations
from claudegwd.store.sealing import Seal

# Of all clients together, some ten thousand agent turns. Beyond this, the client that holds most loses its least
# recently used responses.
MAX_BYTES: Final = 64 * 1024 * 1024
# What a kept response, and each of its items, takes besides its text; these bound their number, too.
OVERHEAD_BYTES: Final = 2048
ITEM_OVERHEAD_BYTES: Final = 256
# The owner of anything not to be stored starts with this: it lives as long as its connection.
UNSTORED: Final = "socket:"
SWEEP_SECONDS: Final = 60.0  # how often expired ones are looked for, if there are any at all

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """`body` is the response object as it was sent; `items` the input that it answered, each with an id, as JSON.

    `ids`: those of all items in both.
    """

    ident: str
    previous: str | None
    body: bytes
    items: bytes
    ids: tuple[str, ...]

    @property
    def size(self) -> int:
        """What it counts as."""
        return len(self.body) + len(self.items) + OVERHEAD_BYTES + ITEM_OVERHEAD_BYTES * len(self.ids)

    def input(self) -> list[Item]:
        """Its own input."""
        items: list[Item] = _decoded(self.items)
        return items

    @property
    def is_background(self) -> bool:
        """Whether it was created in the background."""
        return _decoded(self.body).get("background") is True

    def output(self) -> list[Item]:
        """The answer."""
        output: list[Item] = _decoded(self.body)["output"]
        return output


def _decoded(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)  # half of a surrogate pair, which a model may write


@dataclass(slots=True)
class _Owned:
    # By last use, which is the time next to them.
    responses: OrderedDict[str, tuple[float, KeptResponse]] = field(default_factory=OrderedDict)
    places: dict[str, str] = field(default_factory=dict)  # item id -> response id
    size: int = 0


class KeptResponses:
    """A bounded store. `now` is any clock of seconds that never goes back."""

    def __init__(self, max_bytes: int = MAX_BYTES, keep_seconds: float = 86_400) -> None:
        """`keep_seconds`: since the last use."""
        self._max = max_bytes
        self.keep_seconds = keep_seconds
        self.on_kept: Callable[[str, KeptResponse], None] = lambda _owner, _kept: None
        self.on_gone: Callable[[str, str], None] = lambda _owner, _ident: None
        self._owners: dict[str, _Owned] = {}
        self._swept = 0.0
        self.size = 0  # of all
        self.read = ReadConversations()

    def keep(self, owner: str, kept: KeptResponse, now: float, read: ReadConversation | None = None) -> None:
        """Keep one; others may be dropped for it. `read`: the conversation up to its answer."""
        self._sweep(now)
        if kept.size > self._max:
            return
        self.restore(owner, kept, now)
        if read is not None:
            self.read.note(kept.ident, kept.previous, read)
        self.on_kept(owner, kept)
        self._shrink()

    def adopt(self, owner: str, kept: KeptResponse, now: float) -> None:
        """Take over one that another machine keeps, unless it is here; others may be dropped for it."""
        if self.get(owner, kept.ident, now) is None and kept.size <= self._max:
            self.delete(owner, kept.ident)  # which is expired
            self.restore(owner, kept, now)
            self._shrink()

    def _shrink(self) -> None:
        while self.size > self._max:
            largest = max(self._owners, key=lambda name: self._owners[name].size)
            self.delete(largest, next(iter(self._owners[largest].responses)))

    def restore(self, owner: str, kept: KeptResponse, used: float) -> None:
        """Load one that an earlier run kept, last used then. Call it oldest first."""
        owned = self._owners.setdefault(owner, _Owned())
        owned.responses[kept.ident] = (used, kept)
        owned.size += kept.size
        self.size += kept.size
        owned.places.update(dict.fromkeys(kept.ids, kept.ident))

    def every(self) -> list[tuple[str, KeptResponse]]:
        """All of them, with their owners."""
        return [(owner, kept) for owner, owned in self._owners.items() for _, kept in owned.responses.values()]

    def get(self, owner: str, ident: str, now: float) -> KeptResponse | None:
        """One of the owner's."""
        self._sweep(now)
        owned = self._owners.get(owner)
        if owned is None or ident not in owned.responses:
            return None
        used, kept = owned.responses[ident]
        if now - used > self.keep_seconds:
            return None
        owned.responses[ident] = (now, kept)
        owned.responses.move_to_end(ident)
        return kept

    def holds(self, owner: str, ident: str) -> bool:
        """Whether it is here, expired or not."""
        owned = self._owners.get(owner)
        return owned is not None and ident in owned.responses

    def delete(self, owner: str, ident: str) -> bool:
        """Delete one; whether it existed. Nothing can continue from it or its successors."""
        owned = self._owners.get(owner)
        if owned is None or ident not in owned.responses:
            return False
        kept = owned.responses.pop(ident)[1]
        self.read.forget(ident)
        self.on_gone(owner, ident)
        owned.size -= kept.size
        self.size -= kept.size
        for item_id in kept.ids:
            if owned.places.get(item_id) == ident:
                del owned.places[item_id]
        if not owned.responses:
            del self._owners[owner]
        return True

    def of(self, owner: str, now: float, room: int, seal: Seal, also: str = "") -> "OwnResponses":
        """What this owner may continue from, up to `room` bytes per request; and what is kept for `also`."""
        return OwnResponses(self, owner, now, room, seal, also)

    def forget(self, owner: str) -> None:
        """Delete everything of one owner."""
        owned = self._owners.get(owner)
        for ident in list(owned.responses) if owned is not None else ():
            self.delete(owner, ident)

    def place(self, owner: str, item_id: str) -> str:
        """The response that an item of the owner's is in; "" for none."""
        owned = self._owners.get(owner)
        return owned.places.get(item_id, "") if owned is not None else ""

    def _sweep(self, now: float) -> None:
        if now - self._swept < SWEEP_SECONDS:
            return
        self._swept = now
        for owner, owned in list(self._owners.items()):
            old = [ident for ident, (used, _) in owned.responses.items() if now - used > self.keep_seconds]
            for ident in old:
                self.delete(owner, ident)


@dataclass(slots=True)
class OwnResponses:
    """One owner's responses, for the reader of one request.

    One request could name what many requests stored: `room` is how many bytes it may still load.
    """

    kept: KeptResponses
    owner: str
    now: float
    room: int
    seal: Seal
    also: str = ""
    missing: str = ""  # the last requested response or item that is not here
    _items: dict[str, dict[str, Item]] = field(default_factory=dict)  # of responses already read, by their ids

    def conversation(self, ident: str, bounds: Bounds) -> History | None:
        """What was said up to the end of this response; None if any part is gone. Nothing is read twice.

        Raises BodyTooLarge.
        """
        unread: list[Item] = []
        read: ReadConversation | None = None
        size = 0
        following: str | None = ident
        while following is not None:
            found = self._get(following)
            if found is None:
                self.missing = ident
                return None
            size += len(found.items) + len(found.body)
            self._take(len(found.items) + len(found.body))
            if read is None:
                read = self.kept.read.get(following)
                unread = [*(() if read is not None else found.input()), *found.output(), *unread]
            following = found.previous
        items = [Fields(item, PREVIOUS) for item in unread]
        history = read_items(items, bounds, self.unsealed, read.history if read is not None else None)
        return msgspec.structs.replace(history, kept_bytes=size)

    def item(self, ident: str) -> Mapping[str, Any] | None:
        """One item. Raises BodyTooLarge."""
        place = self.kept.place(self.owner, ident) or (self.also and self.kept.place(self.also, ident))
        if place not in self._items:
            found = self._get(place)
            if found is None:
                self.missing = ident
                return None
            self._items[place] = {item["id"]: item for item in (*found.input(), *found.output())}
        item = self._items[place].get(ident)
        if item is not None:
            self._take(len(encode(item)))
        return item

    def unsealed(self, sealed: str) -> str | None:
        """The text of a compaction item; None if it was not made for this owner."""
        return self.seal.unseal(self.owner, sealed)

    def _get(self, ident: str) -> KeptResponse | None:
        found = self.kept.get(self.owner, ident, self.now)
        return found or (self.kept.get(self.also, ident, self.now) if self.also else None)

    def _take(self, size: int) -> None:
        self.room -= size
        if self.room < 0:
            raise BodyTooLarge(
                "cannot continue this conversation: with the earlier items, the request is larger than "
                "server.max_body_bytes"
            )
