"""What one client may still do: requests a minute, tokens a minute, requests at once. Pure: the clock is an argument.

A request is admitted (``admit``), its tokens settled when they are known (``settle``), and it ends (``Admission.end``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from claudegwd.limits.bucket import Bucket, duration
from claudegwd.openai_api.errors import RateLimitExceeded

# When a place will be free nobody knows. One second is about the shortest answer, and keeps clients from hammering.
BUSY_RETRY_SECONDS: Final = 1.0
CHARACTERS_PER_TOKEN: Final = 4  # the usual rule of thumb: for a reservation, settled by the true count


@dataclass(frozen=True, slots=True)
class Limits:
    """Per client; 0: no limit."""

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    concurrent_requests: int = 0


@dataclass(slots=True)
class Admission:
    """A request that was let in. ``settle`` it once and ``end`` it always; both may be called twice."""

    meter: "Meter"
    reserved: float
    settled: bool = False
    ended: bool = False

    def settle(self, tokens: int, now: float) -> None:
        """The request used ``tokens`` in all; what was reserved beyond is given back, what is missing becomes debt."""
        if not self.settled:
            self.settled = True
            self.meter.use_tokens(tokens - self.reserved, now)

    def reserve(self, tokens: int, now: float) -> None:
        """Take more before it is settled, for what was not known when the request was let in. It is not refused."""
        if not self.settled:
            self.reserved += tokens
            self.meter.use_tokens(tokens, now)

    def end(self) -> None:
        """The request is over, however it ended. Unsettled tokens stay taken: they may have been used."""
        if not self.ended:
            self.ended = True
            self.meter.active -= 1


class Meter:
    """The limits of one client. Changing ``limits`` keeps what was used."""

    def __init__(self, limits: Limits, now: float) -> None:
        self.limits = Limits()
        self.active = 0
        self._requests: Bucket | None = None
        self._tokens: Bucket | None = None
        self.change(limits, now)

    def change(self, limits: Limits, now: float) -> None:
        """Other limits from now on."""
        if limits != self.limits:
            self.limits = limits
            self._requests = _changed(self._requests, limits.requests_per_minute, now)
            self._tokens = _changed(self._tokens, limits.tokens_per_minute, now)

    def admit(self, tokens: int, now: float) -> Admission:
        """Let one request in that may use ``tokens``; they are reserved. What it uses beyond becomes a debt.

        Raises RateLimitExceeded with the true wait, and takes nothing then. A request that needs more than a minute's
        tokens passes when all of them are there: refusing it would be for ever.
        """
        if self.limits.concurrent_requests and self.active >= self.limits.concurrent_requests:
            raise RateLimitExceeded(
                f"cannot take this request: this client may have {self.limits.concurrent_requests} requests under way "
                "at once; wait for one to end",
                retry_after=BUSY_RETRY_SECONDS,
            )
        waits = ((bucket.wait(units, now), what) for bucket, units, what in self._demands(tokens))
        wait, what = max(waits, default=(0.0, ""))
        if wait > 0:
            raise RateLimitExceeded(
                f"cannot take this request: this client's limit of {what} a minute is reached; "
                f"try again in {duration(wait)}",
                retry_after=wait,
            )
        reserved = 0.0
        for bucket, units, what in self._demands(tokens):
            bucket.take(units)
            reserved = units if what == "tokens" else reserved
        self.active += 1
        return Admission(self, reserved)

    def use_tokens(self, tokens: float, now: float) -> None:
        """Take tokens without asking (negative: give back)."""
        if self._tokens is not None:
            self._tokens.refill(now)
            self._tokens.take(tokens)

    def headers(self, now: float) -> dict[str, str]:
        """``x-ratelimit-*``, for those limits that there are. Names are lower case."""
        headers: dict[str, str] = {}
        for bucket, what in ((self._requests, "requests"), (self._tokens, "tokens")):
            if bucket is not None:
                headers[f"x-ratelimit-limit-{what}"] = str(int(bucket.capacity))
                headers[f"x-ratelimit-remaining-{what}"] = str(bucket.remaining(now))
                headers[f"x-ratelimit-reset-{what}"] = duration(bucket.reset(now))
        return headers

    def _demands(self, tokens: int) -> Iterable[tuple[Bucket, float, str]]:
        if self._requests is not None:
            yield self._requests, 1.0, "requests"
        if self._tokens is not None:
            yield self._tokens, min(float(tokens), self._tokens.capacity), "tokens"


def _changed(bucket: Bucket | None, capacity: int, now: float) -> Bucket | None:
    if capacity <= 0:
        return None
    if bucket is None:
        return Bucket.full(capacity, now)
    bucket.resize(capacity, now)
    return bucket
