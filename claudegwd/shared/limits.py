"""Client limits that apply to all machines together: counted in the store, by one script call per request.

A request that counts against a limit of tokens is admitted together with its tokens, which are known once it has been
read. What it used is reported to the store in the background, at the latest with the client's next request.

The script's result is mirrored in the client's own meter: the headers come from there, and if the store is unreachable,
the meter continues alone with a configured share of each limit.
"""

from dataclasses import dataclass, field
from functools import partial
from itertools import count
from secrets import token_hex
from typing import Final

import trio

from claudegwd.limits.clients import Client, ClientBook
from claudegwd.limits.meter import Admission, Limits, Meter
from claudegwd.shared.connection import StoreAwayError, StoreConnection
from claudegwd.shared.greeting import CONNECT_SECONDS
from claudegwd.shared.limit_scripts import ADMIT, RENEW, REPORT
from claudegwd.shared.store import SharedStore
from claudegwd.shared.upkeep import RETRY_SECONDS

# The slot of a running request is released after this time if its machine does not renew it: the machine was killed.
LEASE_SECONDS: Final = 30.0
# Three times per lease.
RENEW_SECONDS: Final = 10.0
# The end of a request is reported at once, because its client may ask another machine next. Tokens are reported with
# it, but after this time at the latest: a report in the middle of a short request delayed it by 0.25 ms.
REPORT_SECONDS: Final = 0.005
# Requests of one client, per command.
MEMBERS_MAX: Final = 1000


@dataclass(slots=True)
class _Report:
    """What the store has not been told yet of one client: what it used of its limits, and requests that ended."""

    limits: Limits = field(default_factory=Limits)
    requests: int = 0
    tokens: float = 0.0
    ended: dict[str, float] = field(default_factory=dict)  # name: when


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
        await connection.call("EVAL", REPORT.source, len(keys), *keys, 0, 0, 0, 0, seconds=CONNECT_SECONDS)

    def share(self) -> float:
        """The share of each limit that this machine may grant on its own now, for the client book."""
        return 1.0 if self._store.away_since is None else self._local_share

    async def admit(self, client: Client, book: ClientBook, *, asks: bool) -> Admission:
        """Admit one request, as Meter.admit does. Raises RateLimitExceeded.

        If it `asks` a model and tokens are limited, then only provisionally, until Admission.take.
        """
        meter = book.meter(client, trio.current_time())
        limits, whose = meter.limits, _whose(client)
        if limits == Limits():
            return meter.let_in()  # nothing to count
        meter.on_used = partial(self._use, whose, meter)
        if asks and limits.tokens_per_minute:
            meter.check_active()
            admission = meter.let_in()
            admission.take = partial(self._take, admission, client, book)
            admission.on_end = partial(self._never_asked, whose, meter)
            return admission
        name = self._new_name()
        if not await self._ask(meter, whose, name, 0):
            now = trio.current_time()
            return book.meter(client, now).admit(now)
        admission = meter.let_in()
        self._hold(admission, whose, name)
        return admission

    async def _take(self, admission: Admission, client: Client, book: ClientBook, prompt: int, answer: int) -> None:
        """Admit the request of a provisional admission, and reserve its tokens."""
        meter, whose, name = admission.meter, _whose(client), self._new_name()
        meter.check_size(prompt, answer)
        admission.take, admission.on_end = None, _nothing
        if await self._ask(meter, whose, name, prompt + answer):
            admission.reserved = prompt + answer
            self._hold(admission, whose, name)
            return
        now = trio.current_time()
        book.meter(client, now).take_request(now)
        admission.reserve(prompt, answer, now)

    async def _ask(self, meter: Meter, whose: str, name: str, tokens: int) -> bool:
        """Whether the store admitted a request that may use so many tokens; False: it is away. Raises
        RateLimitExceeded if it refused."""
        limits, used_by_then = meter.limits, meter.tokens_used
        before = self._taken_report(whose)
        try:
            verdict, requests_left, tokens_left, read_at = await self._store.run_script(
                ADMIT,
                [self._bucket(whose), self._places(whose)],
                limits.requests_per_minute,
                limits.tokens_per_minute,
                limits.concurrent_requests,
                name,
                LEASE_SECONDS,
                tokens,
                before.requests,
                before.tokens,
            )
        except (StoreAwayError, trio.Cancelled) as error:
            if limits.concurrent_requests:  # the store may still admit it, when it comes to it
                self._free(whose, name)
            if isinstance(error, StoreAwayError):
                return False
            raise
        now = trio.current_time()
        # Commands run in the order in which they were sent: only what was used meanwhile is missing.
        missing = meter.tokens_used - used_by_then
        meter.mirror(float(requests_left), float(tokens_left) - missing, float(read_at), now)
        match verdict:
            case 1:
                raise meter.busy()
            case 2:
                raise meter.limited(now)
            case 3:
                raise meter.out_of_tokens(tokens, now)
        return True

    def _hold(self, admission: Admission, whose: str, name: str) -> None:
        """Keep the place of an admitted request until it ends."""
        if admission.meter.limits.concurrent_requests:
            self._leases[name] = whose
            admission.on_end = partial(self._end, name)

    def _use(self, whose: str, meter: Meter, tokens: float) -> None:
        report = self._report(whose, meter)
        report.tokens += tokens

    def _never_asked(self, whose: str, meter: Meter) -> None:
        """A request that ended before its tokens were known counts as a request, as it does without a store."""
        self._report(whose, meter).requests += 1

    def _report(self, whose: str, meter: Meter) -> _Report:
        """What is yet to be reported, soon."""
        self._waiting.deadline = min(self._waiting.deadline, trio.current_time() + REPORT_SECONDS)
        report = self._reports.setdefault(whose, _Report())
        report.limits = meter.limits
        return report

    def _taken_report(self, whose: str) -> _Report:
        """What was used and not reported yet, to be reported with a request. Places are freed in the background."""
        report = self._reports.pop(whose, _Report())
        if report.ended:
            self._reports[whose] = _Report(ended=report.ended)
        return report

    def _end(self, name: str) -> None:
        self._free(self._leases.pop(name), name)

    def _free(self, whose: str, name: str) -> None:
        self._reports.setdefault(whose, _Report()).ended[name] = trio.current_time()
        self._ended.set()

    def _new_name(self) -> str:
        return f"{self._machine}.{next(self._numbers)}"

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
                # In a minute, this minute's tokens no longer matter. But a place that nobody gives back is taken until
                # its lease expires.
                since = trio.current_time() - LEASE_SECONDS
                for whose, report in list(self._reports.items()):
                    ended = {name: at for name, at in report.ended.items() if at > since}
                    self._reports[whose] = _Report(ended=ended)
                    if not ended:
                        del self._reports[whose]
                await trio.sleep(RETRY_SECONDS)

    async def _tell(self) -> None:
        while self._reports:
            whose, report = self._reports.popitem()
            try:
                await self._write(whose, report)
            except StoreAwayError:
                self._reports.setdefault(whose, _Report()).ended.update(report.ended)
                raise

    async def _write(self, whose: str, report: _Report) -> None:
        keys, limits, ended = [self._bucket(whose), self._places(whose)], report.limits, list(report.ended)
        used = (limits.requests_per_minute, report.requests, limits.tokens_per_minute, report.tokens)
        for start in range(0, max(1, len(ended)), MEMBERS_MAX):
            await self._store.run_script(REPORT, keys, *used, *ended[start : start + MEMBERS_MAX])
            used = (0, 0, 0, 0.0)

    async def _renew(self) -> None:
        for whose, names in _by_client(self._leases):
            await self._store.run_script(RENEW, [self._places(whose)], LEASE_SECONDS, *names)

    def _bucket(self, whose: str) -> str:
        return self._store.key("limit", whose)

    def _places(self, whose: str) -> str:
        return self._store.key("places", whose)


def _whose(client: Client) -> str:
    """The key's digest: the same on all machines, and reveals nothing of the key."""
    return client.digest.hex() or "anonymous"


def _nothing() -> None:
    pass


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
