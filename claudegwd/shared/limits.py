"""Client limits that apply to all machines together: counted in the store, by one script call per request.

The script's result is mirrored in the client's own meter: the headers come from there, and if the store is unreachable,
the meter continues alone with a configured share of each limit. Tokens are reported to the store in the background;
each request reads them again.
"""

from dataclasses import dataclass
from functools import partial
from itertools import count
from secrets import token_hex
from typing import Final

import trio

from claudegwd.limits.clients import Client, ClientBook
from claudegwd.limits.meter import Admission, Limits
from claudegwd.shared.connection import StoreAwayError
from claudegwd.shared.store import Script, SharedStore

# The slot of a running request is released after this time if its machine does not renew it: the machine was killed.
LEASE_SECONDS: Final = 30.0
# Three times per lease; usage and ended requests are reported at once.
RENEW_SECONDS: Final = 10.0
# Of one client, per command.
MEMBERS_MAX: Final = 1000

# A bucket as in limits/bucket.py, by the store's own clock. A full one need not be kept.
_BUCKET: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local function level(name, capacity)
  local found = redis.call('HMGET', KEYS[1], name, name .. '_at', name .. '_of')
  if not found[1] then return capacity end
  local of = tonumber(found[3])
  return math.min(of, found[1] + math.max(0, now - found[2]) * of / 60) * capacity / of
end
local function keep(name, capacity, left)
  redis.call('HSET', KEYS[1], name, string.format('%.17g', left), name .. '_at', string.format('%.17g', now),
    name .. '_of', capacity)
  local full = math.ceil((capacity - left) * 60000 / capacity) + 1000
  if redis.call('PTTL', KEYS[1]) < full then redis.call('PEXPIRE', KEYS[1], full) end
end
"""
# ARGV: requests and tokens per minute, concurrent requests, this request's name, seconds of its lease.
# Returns 0 (admitted), 1 (too many at once) or 2 (too many per minute), the levels, and the time.
_ADMIT: Final = Script(
    _BUCKET
    + """
local rpm, tpm, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local requests, tokens, verdict = 0, 0, 0
if rpm > 0 then requests = level('r', rpm) end
if tpm > 0 then tokens = level('t', tpm) end
if most > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  if redis.call('ZCARD', KEYS[2]) >= most then verdict = 1 end
end
if verdict == 0 and rpm > 0 then
  if requests < 1 - 1e-9 * rpm then verdict = 2 else
    requests = requests - 1
    keep('r', rpm, requests)
  end
end
if verdict == 0 and most > 0 then
  redis.call('ZADD', KEYS[2], now + ARGV[5], ARGV[4])
  redis.call('PEXPIRE', KEYS[2], math.ceil(ARGV[5] * 1000))
end
return {verdict, string.format('%.17g', requests), string.format('%.17g', tokens), string.format('%.17g', now)}
"""
)
# ARGV: tokens per minute, and how many were used; negative: given back.
_USE: Final = Script(
    _BUCKET
    + """
local capacity = tonumber(ARGV[1])
keep('t', capacity, math.min(capacity, level('t', capacity) - ARGV[2]))
"""
)
# ARGV: seconds of the lease, and the names of the requests still running.
_RENEW: Final = Script(
    """
local time = redis.call('TIME')
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], time[1] + ARGV[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[1] * 1000))
"""
)


@dataclass(slots=True)
class _Used:
    """Tokens not yet reported to the store."""

    capacity: int
    tokens: float = 0.0


class SharedLimits:
    """`run` it as a task. `local_share`: the share of each limit that this machine grants while the store is away."""

    def __init__(self, store: SharedStore, local_share: float) -> None:
        self._store = store
        self._local_share = local_share
        self._machine = f"{store.name}.{token_hex(4)}"  # of this run
        self._numbers = count()
        self._leases: dict[str, str] = {}  # the client of each request that holds a slot
        self._ended: dict[str, str] = {}
        self._used: dict[str, _Used] = {}
        self._changed = trio.Event()
        store.on_connected.append(self._renew)  # it may have come back empty

    def share(self) -> float:
        """The share of each limit that this machine may grant on its own now, for the client book."""
        return 1.0 if self._store.away_since is None else self._local_share

    async def admit(self, client: Client, book: ClientBook) -> Admission:
        """Admit one request, as Meter.admit does. Raises RateLimitExceeded."""
        meter = book.meter(client, trio.current_time())
        limits, whose = meter.limits, _whose(client)
        if limits == Limits():
            return meter.admit(trio.current_time())  # nothing to count
        name = f"{self._machine}.{next(self._numbers)}"
        try:
            verdict, requests, tokens, read_at = await self._store.run_script(
                _ADMIT,
                [self._bucket(whose), self._places(whose)],
                limits.requests_per_minute,
                limits.tokens_per_minute,
                limits.concurrent_requests,
                name,
                LEASE_SECONDS,
            )
        except StoreAwayError:
            now = trio.current_time()
            return book.meter(client, now).admit(now)
        now = trio.current_time()
        meter.mirror(float(requests), float(tokens), float(read_at), now)
        if verdict:
            raise meter.busy() if verdict == 1 else meter.limited(now)
        meter.on_used = partial(self._use, whose)
        admission = meter.let_in()
        if limits.concurrent_requests:
            self._leases[name] = whose
            admission.on_end = partial(self._end, name)
        return admission

    def _use(self, whose: str, tokens: float, capacity: int) -> None:
        used = self._used.setdefault(whose, _Used(capacity))
        used.capacity, used.tokens = capacity, used.tokens + tokens
        self._changed.set()

    def _end(self, name: str) -> None:
        self._ended[name] = self._leases.pop(name)
        self._changed.set()

    async def run(self) -> None:
        """Forever: report usage and ended requests to the store, and renew the slots of running ones."""
        renewed = trio.current_time()
        while True:
            with trio.move_on_at(renewed + RENEW_SECONDS):
                await self._changed.wait()
            self._changed = trio.Event()
            try:
                await self._tell()
                if trio.current_time() - renewed >= RENEW_SECONDS:
                    renewed = trio.current_time()
                    await self._renew()
            except StoreAwayError:
                # Slots expire by themselves, and in a minute this minute's tokens no longer matter.
                self._ended.clear()
                self._used.clear()

    async def _tell(self) -> None:
        ended, self._ended = self._ended, {}
        for whose, names in _by_client(ended):
            await self._store.call("ZREM", self._places(whose), *names)
        while self._used:
            whose, used = self._used.popitem()
            if used.tokens:
                await self._store.run_script(_USE, [self._bucket(whose)], used.capacity, used.tokens)

    async def _renew(self) -> None:
        for whose, names in _by_client(self._leases):
            await self._store.run_script(_RENEW, [self._places(whose)], LEASE_SECONDS, *names)

    def _bucket(self, whose: str) -> str:
        return self._store.key("limit", whose)

    def _places(self, whose: str) -> str:
        return self._store.key("places", whose)


def _whose(client: Client) -> str:
    """The key's digest: the same on all machines, and reveals nothing of the key."""
    return client.digest.hex() or "anonymous"


def _by_client(names: dict[str, str]) -> list[tuple[str, list[str]]]:
    """The requests of each client, in batches small enough for one command."""
    found: dict[str, list[str]] = {}
    for name, whose in names.items():
        found.setdefault(whose, []).append(name)
    return [
        (whose, every[start : start + MEMBERS_MAX])
        for whose, every in found.items()
        for start in range(0, len(every), MEMBERS_MAX)
    ]
