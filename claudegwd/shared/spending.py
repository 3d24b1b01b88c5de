"""Client budgets on all machines: each machine reports what a client has spent there, and receives the others' reports.

No request waits for this: spending, and what running requests hold, is reported right after them, and each machine
decides by the reports that it has. So machines that admit a client within the same few milliseconds may together exceed
a budget by what those requests need. Reports are totals, each machine's own: a store that was unreachable or comes back
empty gets them again, and nothing is counted twice.
"""

import hashlib
import time
from collections.abc import Callable
from typing import Final

import msgspec
import trio

from claudegwd.limits.clients import ClientBook
from claudegwd.limits.elsewhere import HELD_SECONDS, decode_spent, encode_spent
from claudegwd.shared.connection import StoreAwayError
from claudegwd.shared.machines import MACHINES_MAX
from claudegwd.shared.store import Script, SharedStore
from claudegwd.shared.upkeep import RETRY_SECONDS
from claudegwd.store.change_time import next_change

# Three times within the period for which other machines trust a report.
RENEW_SECONDS: Final = HELD_SECONDS / 3
# The longest budget period is a month; after that, a machine's report is useless.
KEEP_SECONDS: Final = 40 * 86_400.0

_WRITE: Final = Script(
    """
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return redis.call('PUBLISH', ARGV[4], ARGV[5])
"""
)


class _Message(msgspec.Struct, array_like=True):
    client: str
    machine: str
    said: bytes


class SharedSpending:
    """`run` it as a task. `clock`: wall clock, seconds."""

    def __init__(self, store: SharedStore, book: ClientBook, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._book = book
        self._spending = book.spending
        self._clock = clock
        self._names: dict[str, str] = {}  # of clients that have a budget, by their name in the store
        self._met: set[str] = set()  # those of them whose reports in the store have been read
        self._unsaid: set[str] = set()
        self._told_at = 0.0  # of our latest report
        self._changed = trio.Event()
        self._channel = store.channel("spent")
        self._spending.on_spent = self._note
        store.on_message[self._channel] = self._hear
        store.on_connected.append(self._connected)

    def look(self) -> None:
        """Clients' budgets may have been added or removed."""
        self._names = {_called(client.name): client.name for client, _ in self._book.rows() if client.budgets}
        self._met.intersection_update(self._names.values())
        self._spending.elsewhere.keep(self._names.values())
        self._unsaid.update(name for name in self._names.values() if name not in self._met)
        self._changed.set()

    async def run(self) -> None:
        """Forever: report what was spent here, and renew what is held."""
        self.look()
        renewed = trio.current_time()
        while True:
            with trio.move_on_at(renewed + RENEW_SECONDS):
                await self._changed.wait()
            self._changed = trio.Event()
            if trio.current_time() - renewed >= RENEW_SECONDS:
                renewed = trio.current_time()
                self.renew()
            try:
                await self._tell()
            except StoreAwayError:
                await trio.sleep(RETRY_SECONDS)
                self._changed.set()

    def renew(self) -> None:
        """Report again what is held."""
        self._unsaid.update(self._spending.holding())
        self._changed.set()

    async def _tell(self) -> None:
        while self._unsaid:
            client = self._unsaid.pop()
            called = _called(client)
            if called not in self._names:
                continue
            try:
                if client not in self._met:
                    await self._meet(client, called)
                await self._write(client, called)
            except StoreAwayError:
                self._unsaid.add(client)
                raise

    async def _meet(self, client: str, called: str) -> None:
        """Read all machines' reports on a client, including this one's from an earlier run."""
        found = await self._store.call("HGETALL", self._key(called))
        for machine, data in list(found.items())[:MACHINES_MAX]:
            said, name = decode_spent(data), machine.decode("utf-8", "replace")
            if said is None or said.at < self._clock() - KEEP_SECONDS:
                await self._store.call("HDEL", self._key(called), machine)
            elif name == self._store.name:
                self._told_at = max(self._told_at, said.at)
                self._spending.raise_to(client, said, self._clock())
            else:
                self._spending.elsewhere.put(client, name, said)
        self._met.add(client)

    async def _write(self, client: str, called: str) -> None:
        self._told_at = next_change(self._clock(), self._told_at)  # else others would ignore it
        said = encode_spent(msgspec.structs.replace(self._spending.said(client, self._clock()), at=self._told_at))
        message = msgspec.msgpack.encode(_Message(called, self._store.name, said))
        keep = int(KEEP_SECONDS * 1000)
        await self._store.run_script(
            _WRITE, [self._key(called)], self._store.name, said, keep, self._channel, message
        )  # fmt: skip

    async def _connected(self) -> None:
        self._met.clear()
        self.look()

    def _note(self, client: str) -> None:
        self._unsaid.add(client)
        self._changed.set()

    def _hear(self, content: bytes) -> None:
        try:
            message = msgspec.msgpack.decode(content, type=_Message)
        except (msgspec.DecodeError, ValueError):
            return  # not written by us
        client, said = self._names.get(message.client), decode_spent(message.said)
        if client is not None and said is not None and message.machine != self._store.name:
            self._spending.elsewhere.put(client, message.machine, said)

    def _key(self, called: str) -> str:
        return self._store.key("spent", called)


def _called(client: str) -> str:
    return hashlib.sha256(client.encode()).hexdigest()
