"""Usage on all machines: one asks, and each answers from its own ledger.

Questions and answers are sealed with the machines' secret, and an answer stays in the store for a few seconds.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import asdict
from secrets import token_hex
from typing import Any, Final

import msgspec
import trio

from claudegwd.ledger.query import UsageQuery
from claudegwd.shared.connection import StoreAwayError
from claudegwd.shared.store import Script, SharedStore
from claudegwd.store.database import StateError
from claudegwd.store.sealing import Seal

# How long a machine may take to answer. Reading a month of a busy ledger takes some 100 ms.
ANSWER_SECONDS: Final = 3.0
LOOK_SECONDS: Final = 0.02  # how often it is checked which answers have arrived
KEEP_SECONDS: Final = 10  # for an answer that nobody has fetched
WAITING_MAX: Final = 256  # questions of a few hundred bytes; beyond it this machine gives no answer

_QUESTION: Final = b"usage question\0"
_ANSWER: Final = b"usage answer\0"

_WRITE: Final = Script("redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])\nredis.call('EXPIRE', KEYS[1], ARGV[3])")


class _Question(msgspec.Struct):
    ident: str
    since: float
    by: tuple[str, ...]
    client: str | None


class SharedUsage:
    """`run` it as a task. `store`: the one for large values. `read`: this machine's own answer; raises StateError."""

    def __init__(self, store: SharedStore, seal: Seal, read: Callable[[UsageQuery], Awaitable[dict[str, Any]]]) -> None:
        self._store = store
        self._seal = seal
        self._read = read
        self._asked: deque[_Question] = deque(maxlen=WAITING_MAX)
        self._changed = trio.Event()
        self._channel = store.channel("usage")
        store.on_message[self._channel] = self._hear

    async def read_all(self, question: UsageQuery, machines: Collection[str]) -> dict[str, dict[str, Any]]:
        """These machines' answers, by name, without those that are silent. Raises StoreAwayError."""
        asked = _Question(token_hex(8), **asdict(question))
        sealed = self._seal.lock(msgspec.msgpack.encode(asked), _QUESTION)
        await self._store.call("PUBLISH", self._channel, sealed)
        key = self._key(asked.ident)
        with trio.move_on_after(ANSWER_SECONDS):
            while await self._store.call("HLEN", key) < len(machines):  # noqa: ASYNC110 - it is set in the store
                await trio.sleep(LOOK_SECONDS)
        found = await self._store.call("HGETALL", key)
        answers: dict[str, dict[str, Any]] = {}
        for name, data in found.items():
            opened = self._seal.unlock(data, _ANSWER + asked.ident.encode())
            with suppress(msgspec.DecodeError):
                answers[name.decode("utf-8", "replace")] = msgspec.json.decode(opened or b"", type=dict[str, Any])
        return answers

    async def run(self) -> None:
        """Answer questions, forever."""
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            while self._asked:
                # The asker learns which machines are silent; this machine's log says why.
                with suppress(StoreAwayError, StateError):
                    await self._answer(self._asked.popleft())

    async def _answer(self, asked: _Question) -> None:
        found = await self._read(UsageQuery(asked.since, asked.by, asked.client))
        sealed = self._seal.lock(msgspec.json.encode(found), _ANSWER + asked.ident.encode())
        await self._store.run_script(_WRITE, [self._key(asked.ident)], self._store.name, sealed, KEEP_SECONDS)

    def _hear(self, content: bytes) -> None:
        opened = self._seal.unlock(content, _QUESTION)
        with suppress(msgspec.DecodeError, ValueError):  # not written by us
            self._asked.append(msgspec.msgpack.decode(opened or b"", type=_Question))
            self._changed.set()

    def _key(self, ident: str) -> str:
        return self._store.key("usage", ident)
