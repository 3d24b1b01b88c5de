"""Client limits that apply to all machines together: counted in the store, by one script call per request.

The script's result is mirrored in the client's own meter: the headers come from there, and if the store is unreachable,
the meter continues alone with a configured share of each limit. Tokens are reported to the store in the background;
each request reads them again, and adds those of this machine that the store had not been told yet.
"""

from dataclasses import dataclass, field
from functools import partial
from itertools import count
from secrets import token_hex
from typing import Final

import trio

from claudegwd.limits.clients import Client, ClientBook
from claudegwd.limits.meter import Admission, Limits
from claudegwd.shared.connection import StoreAwayError, StoreConnection
from claudegwd.shared.greeting import CONNECT_SECONDS
from claudegwd.shared.store import Script, SharedStore

# The slot of a running request is released after this time if its machine does not renew it: the machine was killed.
LEASE_SECONDS: Final = 30.0
# Three times per lease.
RENEW_SECONDS: Final = 10.0
# The end of a request is reported at once, because its client may ask another machine next. Tokens are reported with
# it, but after this time at the latest: a report in the middle of a short request delayed it by 0.25 ms.
REPORT_SECONDS: Final = 0.005
# Requests of one client, per command.
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
# ARGV: tokens per minute, how many were used (negative: given back), and the names of requests that ended.
_REPORT: Final = Script(
    _BUCKET
    + """
local capacity, used = tonumber(ARGV[1]), tonumber(ARGV[2])
if used ~= 0 then keep('t', capacity, math.min(capacity, level('t', capacity) - used)) end
if #ARGV > 2 then redis.call('ZREM', KEYS[2], unpack(ARGV, 3)) end
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
class _Report:
    """What the store has not been told yet of one client: tokens of this limit, and requests that ended."""

    capacity: int = 0
    tokens: float = 0.0
    ended: list[str] = field(default_factory=list)


class SharedLimits:
    """`run` it as a task. `local_share`: the share of each limit that this machine grants while the store is away."""

    def __init__(self, store: SharedStore, local_share: float) -> None:
        self._store = store
        self._local_share = local_share
        self._machine = f"{store.name}.{token_hex(4)}"  # of this run
        self._numbers = count()
        self._leases: dict[str, str] = {}  # the client of each request that holds a slot
        self._reports: dict[str, _Report] = {}
        self._ended = trio.Event()
        self._waiting = trio.CancelScope()  # until the next report is due
        store.on_greeted.append(self._load)
        store.on_connected.append(self._renew)  # it may have come back empty

    async def _load(self, connection: StoreConnection) -> None:
        """Let the store know the script of reports: one that had to be sent again would come after later questions."""
        keys = (self._bucket("nobody"), self._places("nobody"))
        await connection.call("EVAL", _REPORT.source, len(keys), *keys, 0, 0, seconds=CONNECT_SECONDS)

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
        unreported = self._reports[whose].tokens if whose in self._reports else 0.0
        reported = meter.tokens_used - unreported
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
        # Commands run in the order in which they were sent: the reply counts what had been reported by then.
        missing = meter.tokens_used - reported
        meter.mirror(float(requests), float(tokens) - missing, float(read_at), now)
        if verdict:
            raise meter.busy() if verdict == 1 else meter.limited(now)
        meter.on_used = partial(self._use, whose)
        admission = meter.let_in()
        if limits.concurrent_requests:
            self._leases[name] = whose
            admission.on_end = partial(self._end, name)
        return admission

    def _use(self, whose: str, tokens: float, capacity: int) -> None:
        report = self._reports.setdefault(whose, _Report())
        report.capacity, report.tokens = capacity, report.tokens + tokens
        self._waiting.deadline = min(self._waiting.deadline, trio.current_time() + REPORT_SECONDS)

    def _end(self, name: str) -> None:
        self._reports.setdefault(self._leases.pop(name), _Report()).ended.append(name)
        self._ended.set()

    async def run(self) -> None:
        """Forever: report usage and ended requests to the store, and renew the slots of running ones."""
        renewed = trio.current_time()
        while True:
            due = trio.current_time() + REPORT_SECONDS if self._reports else renewed + RENEW_SECONDS
            with trio.CancelScope(deadline=due) as self._waiting:
                await self._ended.wait()
            self._ended = trio.Event()
            try:
                await self._tell()
                if trio.current_time() - renewed >= RENEW_SECONDS:
                    renewed = trio.current_time()
                    await self._renew()
            except StoreAwayError:
                # Slots expire by themselves, and in a minute this minute's tokens no longer matter.
                self._reports.clear()

    async def _tell(self) -> None:
        while self._reports:
            whose, report = self._reports.popitem()
            keys, tokens = [self._bucket(whose), self._places(whose)], report.tokens
            for start in range(0, max(1, len(report.ended)), MEMBERS_MAX):
                names = report.ended[start : start + MEMBERS_MAX]
                await self._store.run_script(_REPORT, keys, report.capacity, tokens, *names)
                tokens = 0.0

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
