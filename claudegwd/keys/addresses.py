"""Which upstream addresses answer, judging by the outcomes of requests. Pure: the time is an argument.

Keys may belong to different upstreams (`base_url`). While one of them does not answer, requests go to the keys of
another one, and a key's state stays as it is: the upstream's fault is not the key's.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from claudegwd.keys.failures import FailureKind
from claudegwd.keys.key import UpstreamKey

# The upstream did not answer, or answered that it cannot.
UNANSWERED: Final = frozenset({FailureKind.UNAVAILABLE, FailureKind.SILENT})
# These say nothing about the upstream: the CLI failed, or the client took too long.
_SAYS_NOTHING: Final = frozenset({FailureKind.CLI, FailureKind.UNREAD, FailureKind.LATE})

# A single request may be the cause itself. An upstream that fails two of them in a row has a fault of its own.
DOWN_AFTER: Final = 2
# Then one request tries it again; if that fails too, the time doubles. Most overloads are over by then.
DOWN_SECONDS: Final = 30.0
# Until that request has an answer, the others go elsewhere; at most for as long as an upstream may take to begin one.
TRIAL_SECONDS: Final = 120.0
# Whoever repairs a relay should not have to wait for longer (`claudegwctl keys test` makes it available at once).
DOWN_MAX_SECONDS: Final = 300.0


@dataclass(slots=True)
class Outage:
    """The failures of one address since its last answer. Times are seconds since the epoch.

    `requests`: how many requests failed in a row, each counted once. `until`: it is avoided until then. `trial_until`:
    the same for all but the request that tries it again.
    """

    since: float
    requests: int = 0
    times: int = 0
    until: float = 0.0
    trial_until: float = 0.0
    last: str = ""  # the request that failed last: its retries do not count again


class Addresses:
    """`on_change` is called with an address and when its outage began, or None once it answers again."""

    def __init__(self) -> None:
        self.on_change: Callable[[str, float | None], None] = lambda *_: None
        self._outages: dict[str, Outage] = {}

    def failed(self, address: str, kind: FailureKind, now: float, request: str) -> None:
        """A request to this address failed. Any answer, even a refusal, shows that it is available."""
        if kind in _SAYS_NOTHING:
            return
        if kind not in UNANSWERED:
            self.answered(address)
            return
        outage = self._outages.setdefault(address, Outage(now))
        if request and request == outage.last:
            return
        outage.requests, outage.last = outage.requests + 1, request
        if outage.requests < DOWN_AFTER or outage.until > now:
            return  # requests that fail together are one outage
        outage.until = now + min(DOWN_MAX_SECONDS, DOWN_SECONDS * 2.0 ** min(outage.times, 16))
        outage.trial_until = 0.0
        outage.times += 1
        if outage.times == 1:
            self.on_change(address, outage.since)

    def asked(self, address: str, now: float) -> None:
        """A request is sent there. If its outage is over by the clock, this one finds out whether it really is."""
        outage = self._outages.get(address)
        if outage is not None and outage.times and not self.is_avoided(address, now):
            outage.trial_until = now + TRIAL_SECONDS

    def answered(self, address: str) -> None:
        """It answered a request."""
        outage = self._outages.pop(address, None)
        if outage is not None and outage.times:
            self.on_change(address, None)

    def outage(self, address: str, now: float) -> Outage | None:
        """Why requests avoid it now; None if they do not, or only while one tries it again."""
        found = self._outages.get(address)
        return found if found is not None and found.until > now else None

    def is_avoided(self, address: str, now: float) -> bool:
        """Whether requests go elsewhere if they can."""
        found = self._outages.get(address)
        return found is not None and max(found.until, found.trial_until) > now

    def best(self, keys: Iterable[UpstreamKey], avoid: Collection[str], now: float) -> UpstreamKey | None:
        """The first key whose address is not in `avoid` and answers; if there is none, the first of the next best."""
        found: tuple[tuple[bool, bool], UpstreamKey] | None = None
        for key in keys:
            rank = (key.address in avoid, self.is_avoided(key.address, now))
            if not any(rank):
                return key
            if found is None or rank < found[0]:
                found = rank, key
        return found[1] if found is not None else None

    def of_all(self, addresses: Collection[str], now: float) -> Outage | None:
        """The outage with which the last of these addresses stopped answering; None if one of them answers."""
        found = [outage for address in addresses if (outage := self.outage(address, now)) is not None]
        return max(found, key=lambda outage: outage.since) if found and len(found) == len(addresses) else None

    def keep(self, addresses: Collection[str]) -> None:
        """Forget all others: no key has them any more."""
        self._outages = {address: outage for address, outage in self._outages.items() if address in addresses}
