"""Client keys on all machines: creating, changing or revoking a key on one does so on all, and in each state file.

Machines exchange records of clients (limits/records.py), sealed with the machines' secret: whoever can read the store
learns nothing from them, and whoever can write to it cannot create a client. Without the store, each machine continues
with what it has; when the store returns, even if it is empty, everything is sent again.
"""

import hashlib
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from claudegwd.limits.clients import CLIENTS_MAX, ClientRefused
from claudegwd.limits.records import ClientRecord, decode_record, encode_record
from claudegwd.logs import event, log
from claudegwd.shared.connection import StoreAwayError
from claudegwd.shared.store import Script, SharedStore
from claudegwd.shared.upkeep import Upkeep
from claudegwd.store.client_keys import ClientKeys
from claudegwd.store.clients import REMOVED_KEPT_SECONDS
from claudegwd.store.sealing import Seal

# Per reply of the store when all records are read: some 200 kB, which take it a millisecond.
RECORDS_AT_ONCE: Final = 500
# All records that are read, including those of removed clients. More were not written by us.
RECORDS_MAX: Final = 2 * CLIENTS_MAX
# Unprocessed messages; beyond this, all records are read again.
HEARD_MAX: Final = 1000

_WRITE: Final = Script(
    "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])\nreturn redis.call('PUBLISH', ARGV[3], ARGV[1] .. ARGV[2])"
)


class SharedClients:
    """`run` it as a task. `seal`: from the machines' secret. `clock`: wall clock, seconds."""

    def __init__(
        self, store: SharedStore, keys: ClientKeys, seal: Seal, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._keys = keys
        self._seal = seal
        self._clock = clock
        self._all = False  # all records must be read and compared
        self._unsaid: set[str] = set()  # owners whose records changed here
        self._heard: deque[ClientRecord] = deque()
        self._told_of: set[str] = set()  # names that two machines use for different clients
        self._upkeep = Upkeep()
        self._channel = store.channel("clients")
        self.on_changed: Callable[[], None] = lambda: None  # some clients have changed, here or elsewhere
        keys.on_change = self._note
        store.on_message[self._channel] = self._hear
        store.on_connected.append(self._connected)

    async def run(self) -> None:
        """Forever: send what has changed here, and apply what has changed elsewhere."""
        await self._upkeep.run(self._bring_together)

    async def _bring_together(self) -> None:
        while self._heard:
            await self._take(self._heard.popleft())
        while self._unsaid:
            owner = self._unsaid.pop()
            try:
                if (record := self._keys.records().get(owner)) is not None:
                    await self._write(record)
            except StoreAwayError:
                self._unsaid.add(owner)
                raise
        if self._all:
            self._all = False
            try:
                await self._compare_all()
            except StoreAwayError:
                self._all = True
                raise

    async def _compare_all(self) -> None:
        """Apply what is in the store, and write what is missing or older there."""
        there: dict[str, ClientRecord] = {}
        cursor = b"0"
        while len(there) < RECORDS_MAX:
            cursor, pairs = await self._store.call("HSCAN", self._name, cursor, "COUNT", RECORDS_AT_ONCE)
            for field, sealed in zip(pairs[::2], pairs[1::2], strict=True):
                if (record := self._opened(field, sealed)) is not None:
                    there[record.owner] = record
            if cursor == b"0":
                break
        too_old = self._clock() - REMOVED_KEPT_SECONDS
        # Removed clients first: a name may have been reused.
        for record in sorted(there.values(), key=lambda record: not record.removed):
            if record.removed and record.changed < too_old:
                await self._store.call("HDEL", self._name, _field(record.owner))
            else:
                await self._take(record)
        for owner, record in self._keys.records().items():
            if there.get(owner) != record and not (record.removed and record.changed < too_old):
                await self._write(record)

    async def _take(self, record: ClientRecord) -> None:
        try:
            holds = await self._keys.learn(record)
        except ClientRefused as error:
            if record.name not in self._told_of and len(self._told_of) < RECORDS_MAX:
                self._told_of.add(record.name)
                event(log, logging.WARNING, "a client of another machine is unknown here", problem=str(error))
            return
        if holds != record:  # the result merges records of two machines
            self._unsaid.add(record.owner)
            self._upkeep.due()
        self.on_changed()

    async def _write(self, record: ClientRecord) -> None:
        field = _field(record.owner)
        sealed = self._seal.lock(encode_record(record), _purpose(field))
        await self._store.run_script(_WRITE, [self._name], field, sealed, self._channel)

    async def _connected(self) -> None:
        self._all = True
        self._upkeep.due()

    def _note(self, owner: str) -> None:
        self._unsaid.add(owner)
        self._upkeep.due()
        self.on_changed()

    def _hear(self, content: bytes) -> None:
        size = hashlib.sha256().digest_size * 2
        record = self._opened(content[:size], content[size:])
        if record is None:
            return
        if len(self._heard) < HEARD_MAX:
            self._heard.append(record)
        else:
            self._all = True
        self._upkeep.due()

    def _opened(self, field: bytes, sealed: bytes) -> ClientRecord | None:
        data = self._seal.unlock(sealed, _purpose(field.decode("ascii", "replace")))
        record = decode_record(data) if data is not None else None
        return record if record is not None and _field(record.owner).encode() == field else None

    @property
    def _name(self) -> str:
        return self._store.key("clients")


def _field(owner: str) -> str:
    return hashlib.sha256(owner.encode()).hexdigest()


def _purpose(field: str) -> bytes:
    return b"client\0" + field.encode("utf-8", "replace")
