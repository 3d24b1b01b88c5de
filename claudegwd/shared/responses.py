"""Kept responses on all machines: what one has answered, another can continue, as long as responses are kept. What is
deleted on one is deleted everywhere, also on machines that are away.

Each is sealed with the machines' secret, stored under a digest of its owner and id, and sent to the store right after
the answer. A response that is not on this machine is fetched together with everything that it continues, in one round
trip.
"""

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec
import trio

from claudegwd.logs import event, log
from claudegwd.shared.connection import StoreAwayError
from claudegwd.shared.store import Script, SharedStore
from claudegwd.shared.upkeep import Upkeep
from claudegwd.store.responses import UNSTORED, KeptResponse, KeptResponses
from claudegwd.store.sealing import Seal
from claudegwd.store.stored_response import StoredResponse

# Bytes of one response. Larger ones contain images, and stay on their machine.
RESPONSE_MAX: Final = 4 * 1024 * 1024
# Bytes of all responses in the store; beyond this the oldest are removed.
STORED_MAX: Final = 256 * 1024 * 1024
# Bytes that wait for an unreachable store; beyond this the oldest are dropped.
WAITING_MAX: Final = 16 * 1024 * 1024
# How many earlier responses one may continue, and their total size in bytes: the default maximum of a request.
LINKS_MAX: Final = 1000
CHAIN_MAX: Final = 32 * 1024 * 1024
# A whole conversation is megabytes, and a client waits for it. It uses a connection of its own, so that the calls of
# other requests are not delayed behind it.
BULK_SECONDS: Final = 1.0
# A response with which the connection is lost so often is too large for it, and stays on its machine.
TRIES_MAX: Final = 3
# When the store comes back, we check which of our responses it has: this many per command.
LOOKED_AT_ONCE: Final = 500

_PURPOSE: Final = b"shared response\0"
# Ids of items created here (openai_api/responses) contain the id of their response.
_OWN_ITEM: Final = re.compile(r"[a-z]+_([0-9a-f]{24})[0-9a-f]{2,6}", re.ASCII)

# Removes expired responses from the index, but keeps those that were extended by being continued; then the oldest.
_TIDY: Final = """
local time = redis.call('TIME')
local now = time[1] .. '.' .. string.format('%06d', time[2])
local function drop(member)
  redis.call('ZREM', KEYS[2], member)
  redis.call('DECRBY', KEYS[3], string.match(member, '^%d+'))
  return string.match(member, ' (.*)$')
end
local function tidy(seconds, most)
  for _ = 1, 20 do
    local oldest = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', time[1] - seconds, 'LIMIT', 0, 1)[1]
    if not oldest then break end
    if redis.call('EXISTS', string.match(oldest, ' (.*)$')) == 1 then
      redis.call('ZADD', KEYS[2], now, oldest)
    else
      drop(oldest)
    end
  end
  while tonumber(redis.call('GET', KEYS[3]) or 0) > most do
    local oldest = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
    if not oldest then redis.call('DEL', KEYS[3]) break end
    redis.call('DEL', drop(oldest))
  end
end
"""
# KEYS: the response, the index, the sum of sizes, the sign that it was deleted. ARGV: the sealed response, the key of
# the one it continues, for how many seconds it is kept, bytes of all, links of a chain. Returns whether it was deleted.
_KEEP: Final = Script(
    _TIDY
    + """
if redis.call('EXISTS', KEYS[4]) == 1 then return 1 end
redis.call('HSET', KEYS[1], 'd', ARGV[1], 'p', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
local before = ARGV[2]
for _ = 1, tonumber(ARGV[5]) do
  if before == '' or redis.call('EXPIRE', before, ARGV[3]) == 0 then break end
  before = redis.call('HGET', before, 'p') or ''
end
local member = #ARGV[1] + 1024 .. ' ' .. KEYS[1]
if redis.call('ZADD', KEYS[2], now, member) == 1 then redis.call('INCRBY', KEYS[3], #ARGV[1] + 1024) end
tidy(tonumber(ARGV[3]), tonumber(ARGV[4]))
return 0
"""
)
# KEYS: as above. ARGV: the channel, the message for it, and for how many seconds a machine that was away may still have
# the response. Returns whether it was there.
_DELETE: Final = Script(
    _TIDY
    + """
local size = redis.call('HSTRLEN', KEYS[1], 'd')
if size > 0 then
  redis.call('DEL', KEYS[1])
  local member = size + 1024 .. ' ' .. KEYS[1]
  if redis.call('ZSCORE', KEYS[2], member) then drop(member) end
end
redis.call('SET', KEYS[4], '', 'EX', ARGV[3])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return size
"""
)
# KEYS: the last response. ARGV: maximum links and bytes, seconds that all of them are kept.
_CHAIN: Final = Script(
    """
local found, key, bytes = {}, KEYS[1], 0
while key ~= '' and #found < tonumber(ARGV[1]) do
  local one = redis.call('HMGET', key, 'd', 'p')
  if not one[1] then break end
  bytes = bytes + #one[1]
  if bytes > tonumber(ARGV[2]) then break end
  found[#found + 1] = one[1]
  redis.call('EXPIRE', key, ARGV[3])
  key = one[2] or ''
end
return found
"""
)


class SharedResponses:
    """`run` it as a task. `store`: one with BULK_SECONDS of patience. `now`: the clock of `responses`. `response_max`,
    `stored_max`: bytes of one, and of all of them."""

    def __init__(
        self,
        store: SharedStore,
        responses: KeptResponses,
        seal: Seal,
        now: Callable[[], float] = trio.current_time,
        response_max: int = RESPONSE_MAX,
        stored_max: int = STORED_MAX,
    ) -> None:
        self._store = store
        self._responses = responses
        self._seal = seal
        self._now = now
        self._response_max, self._stored_max = response_max, stored_max
        self._waiting: dict[tuple[str, str], KeptResponse | None] = {}  # by owner and id; None: to be deleted
        self._size, self._compares = 0, False
        self._failed: Counter[str] = Counter()  # by key: how often the store was lost with it
        self._upkeep, self._channel = Upkeep(), store.channel("responses")
        self._before, responses.on_kept = responses.on_kept, self._kept
        store.on_message[self._channel] = self._hear
        store.on_connected.append(self._connected)

    async def fetch(self, owner: str, ident: str) -> bool:
        """Fetch a response, by its id or an item's, with everything it continues. Returns whether there was one."""
        if match := _OWN_ITEM.fullmatch(ident):
            ident = f"resp_{match[1]}"
        key = self._key(owner, ident)
        try:
            chain = await self._store.run_script(_CHAIN, [key], LINKS_MAX, CHAIN_MAX, self._seconds)
        except StoreAwayError:
            return False
        found: list[KeptResponse] = []
        following: str | None = ident
        for sealed in chain:
            one = self._opened(owner, following, sealed)
            if one is None:
                break
            found.append(one)
            following = one.previous
        for one in reversed(found):
            self._responses.adopt(owner, one, self._now())
        return bool(found)

    async def delete(self, owner: str, ident: str) -> bool:
        """Delete it everywhere else; it is already gone here. Returns whether the store had it."""
        self._take((owner, ident))
        try:
            return await self._delete(owner, ident)
        except StoreAwayError:
            self._wait((owner, ident), None)
            return False

    def unsent(self) -> bool:
        """Whether anything waits for the store."""
        return bool(self._waiting)

    async def run(self) -> None:
        """Forever: send what is kept here to the store."""
        await self._upkeep.run(self._bring_up_to_date)

    async def _bring_up_to_date(self) -> None:
        if self._compares:
            await self._compare()
        while self._waiting:
            (owner, ident), kept = next(iter(self._waiting.items()))
            if kept is None:
                await self._delete(owner, ident)
            else:
                await self._write(owner, kept)
            if self._waiting.get((owner, ident)) is kept:
                self._take((owner, ident))

    async def _write(self, owner: str, kept: KeptResponse) -> None:
        key = self._key(owner, kept.ident)
        if self._failed[key] >= TRIES_MAX:
            return
        sealed = self._seal.lock(msgspec.msgpack.encode(StoredResponse.of(owner, kept)), _PURPOSE + key.encode())
        previous = self._key(owner, kept.previous) if kept.previous is not None else ""
        arguments = (sealed, previous, self._seconds, self._stored_max, LINKS_MAX)
        was_here = self._store.away_since is None
        try:
            deleted = await self._store.run_script(_KEEP, self._keys(owner, kept.ident), *arguments)
        except StoreAwayError:
            if was_here:
                self._failed[key] += 1
                if self._failed[key] == TRIES_MAX:
                    event(log, logging.WARNING, "a kept response does not reach the shared store", bytes=len(sealed))
            raise
        self._failed.pop(key, None)
        if deleted:
            self._responses.delete(owner, kept.ident)  # on another machine, while this one was away

    async def _delete(self, owner: str, ident: str) -> bool:
        told = self._seal.lock(msgspec.msgpack.encode((owner, ident)), _PURPOSE)
        return bool(await self._store.run_script(_DELETE, self._keys(owner, ident), self._channel, told, self._seconds))

    async def _compare(self) -> None:
        """The store may have come back empty: write what it lacks again."""
        every = [(owner, kept) for owner, kept in self._responses.every() if self._is_shared(owner, kept)]
        self._failed &= Counter({self._key(owner, kept.ident): TRIES_MAX for owner, kept in every})  # forget the others
        for start in range(0, len(every), LOOKED_AT_ONCE):
            part = every[start : start + LOOKED_AT_ONCE]
            if await self._store.call("EXISTS", *(self._key(owner, kept.ident) for owner, kept in part)) == len(part):
                continue
            for owner, kept in part:
                there = await self._store.call("EXISTS", self._key(owner, kept.ident))
                if not there and self._responses.holds(owner, kept.ident):
                    await self._write(owner, kept)
        self._compares = False

    async def _connected(self) -> None:
        self._compares = True
        self._upkeep.due()

    def _kept(self, owner: str, kept: KeptResponse) -> None:
        self._before(owner, kept)
        if self._is_shared(owner, kept):
            self._wait((owner, kept.ident), kept)

    def _wait(self, place: tuple[str, str], kept: KeptResponse | None) -> None:
        self._take(place)
        self._waiting[place] = kept
        self._size += _size(kept)
        while self._size > WAITING_MAX:
            self._take(next(iter(self._waiting)))
        self._upkeep.due()

    def _take(self, place: tuple[str, str]) -> None:
        if place in self._waiting:
            self._size -= _size(self._waiting.pop(place))

    def _hear(self, content: bytes) -> None:
        opened = self._seal.unlock(content, _PURPOSE)
        try:
            owner, ident = msgspec.msgpack.decode(opened or b"", type=tuple[str, str])
        except (msgspec.DecodeError, ValueError):
            return  # not written by us
        self._responses.delete(owner, ident)

    def _opened(self, owner: str, ident: str | None, sealed: bytes) -> KeptResponse | None:
        """One response of a chain, if it is valid."""
        if ident is None:
            return None
        opened = self._seal.unlock(sealed, _PURPOSE + self._key(owner, ident).encode())
        try:
            return msgspec.msgpack.decode(opened or b"", type=StoredResponse).kept()
        except (msgspec.DecodeError, ValueError):
            return None

    def _is_shared(self, owner: str, kept: KeptResponse) -> bool:
        return not owner.startswith(UNSTORED) and kept.size <= self._response_max

    @property
    def _seconds(self) -> int:
        return max(1, int(self._responses.keep_seconds))

    def _key(self, owner: str, ident: str) -> str:
        digest = hashlib.sha256(f"{owner}\0{ident}".encode("utf-8", "surrogatepass")).hexdigest()
        return self._store.key("response", digest)

    def _gone(self, owner: str, ident: str) -> str:
        return self._key(owner, ident) + ":deleted"

    def _keys(self, owner: str, ident: str) -> list[str]:
        index = self._store.key("responses")
        return [self._key(owner, ident), index, f"{index}:bytes", self._gone(owner, ident)]


def _size(kept: KeptResponse | None) -> int:
    return kept.size if kept is not None else 1024
