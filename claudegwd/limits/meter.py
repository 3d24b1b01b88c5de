"""What a client may still use: requests per minute, tokens per minute, concurrent requests. Pure: the clock is an
argument.

A request is admitted (``admit``), the tokens it may use are reserved before it is sent (``Admission.reserve``) and
settled once they are known (``settle``), and it ends (``end``).
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Final

from claudegwd.limits.bucket import Bucket, duration
from claudegwd.openai_api.errors import RateLimitExceeded, RequestTooLarge

# Nobody knows when a slot will be free. One second is about the shortest answer, and keeps clients from hammering.
BUSY_RETRY_SECONDS: Final = 1.0
# Replies from the store may overtake each other by milliseconds.
MIRROR_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Per client; 0: no limit."""

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    concurrent_requests: int = 0

    def scaled(self, share: float) -> "Limits":
        """A share of each limit, but at least 1."""
        if share == 1.0:
            return self
        each = (self.requests_per_minute, self.tokens_per_minute, self.concurrent_requests)
        return Limits(*(max(1, int(limit * share)) if limit else 0 for limit in each))


@dataclass(slots=True)
class Admission:
    """An admitted request. ``settle`` its reservation, and always ``end`` it; both may be called twice.

    ``take``: set while the request is admitted only provisionally; given the tokens of its prompt and of its answer,
    it admits the request and reserves them, as ``Meter.admit`` and ``reserve`` do.
    """

    meter: "Meter"
    reserved: float = 0.0
    settled: bool = False
    ended: bool = False
    on_end: Callable[[], None] = lambda: None  # called once
    take: Callable[[int, int], Awaitable[None]] | None = None

    @property
    def counts_tokens(self) -> bool:
        """Whether there is a token limit."""
        return self.meter.limits.tokens_per_minute > 0

    def reserve(self, prompt: int, answer: int, now: float) -> None:
        """Take the tokens that the request may use. If it cannot, takes none and raises RateLimitExceeded with the true
        wait, or RequestTooLarge if even a whole minute's tokens are not enough."""
        if self.counts_tokens:  # otherwise there is nothing to give back, even if there is a limit by then
            self.meter.check_tokens(prompt, answer, now)
            self.reserved += prompt + answer
            self.meter.use_tokens(prompt + answer, now)

    def settle(self, tokens: int, now: float) -> None:
        """The request used ``tokens`` in total; any excess reservation is given back, any shortfall becomes debt."""
        if not self.settled:
            self.settled = True
            self.meter.use_tokens(tokens - self.reserved, now)

    def end(self) -> None:
        """The request is over, however it ended. Unsettled tokens stay taken: they may have been used."""
        if not self.ended:
            self.ended = True
            self.meter.active -= 1
            self.on_end()


class Meter:
    """The limits of one client. Changing ``limits`` keeps what was used."""

    def __init__(self, limits: Limits, now: float) -> None:
        self.limits = Limits()
        self.active = 0
        self.tokens_used = 0.0  # since the start, less what was given back
        self.on_used: Callable[[float], None] = lambda _: None  # so many tokens
        self._read_at = 0.0  # when the last mirrored levels were read
        self._requests: Bucket | None = None
        self._tokens: Bucket | None = None
        self.change(limits, now)

    def change(self, limits: Limits, now: float) -> None:
        """Change the limits from now on."""
        if limits != self.limits:
            self.limits = limits
            self._requests = _changed(self._requests, limits.requests_per_minute, now)
            self._tokens = _changed(self._tokens, limits.tokens_per_minute, now)

    def admit(self, now: float) -> Admission:
        """Admit one request, or take nothing and raise RateLimitExceeded with the true wait."""
        self.check_active()
        self.take_request(now)
        return self.let_in()

    def check_active(self) -> None:
        """Raises RateLimitExceeded if there are as many concurrent requests as may be."""
        if self.limits.concurrent_requests and self.active >= self.limits.concurrent_requests:
            raise self.busy()

    def take_request(self, now: float) -> None:
        """Take one of the minute's requests. Raises RateLimitExceeded if there is none."""
        if self._requests is not None:
            if self._requests.wait(1, now) > 0:
                raise self.limited(now)
            self._requests.take(1)

    def let_in(self) -> Admission:
        """A request that is admitted elsewhere. It counts as one of the concurrent requests until it ends."""
        self.active += 1
        return Admission(self)

    def mirror(self, requests: float, tokens: float, read_at: float, now: float) -> None:
        """Continue from these levels, which count all machines together.

        ``read_at``: seconds on the store's clock. Replies to concurrent requests arrive in any order, and an earlier
        one is outdated; if it is earlier by more than a second, the clock has changed."""
        if 0 < self._read_at - read_at < MIRROR_SECONDS:
            return
        self._read_at = read_at
        for bucket, level in ((self._requests, requests), (self._tokens, tokens)):
            if bucket is not None:
                # What was given back meanwhile may have been refilled already.
                bucket.level, bucket.updated = min(bucket.capacity, level), now

    def busy(self) -> RateLimitExceeded:
        """The error for too many concurrent requests."""
        return RateLimitExceeded(
            "cannot accept this request: this client may have at most "
            f"{_counted(self.limits.concurrent_requests, 'concurrent request')}; wait for one to finish",
            retry_after=BUSY_RETRY_SECONDS,
        )

    def limited(self, now: float) -> RateLimitExceeded:
        """The error for too many requests per minute."""
        return _exceeded("requests", self._requests.wait(1, now) if self._requests is not None else 0.0)

    def check_tokens(self, prompt: int, answer: int, now: float) -> None:
        """Raises RateLimitExceeded if a request for so many tokens must wait, RequestTooLarge if it can never pass."""
        self.check_size(prompt, answer)
        if self._tokens is not None and self._tokens.wait(prompt + answer, now) > 0:
            raise self.out_of_tokens(prompt + answer, now)

    def check_size(self, prompt: int, answer: int) -> None:
        """Raises RequestTooLarge if a request for so many tokens can never pass."""
        capacity = self.limits.tokens_per_minute
        if 0 < capacity < prompt + answer:
            raise RequestTooLarge(
                f"cannot accept this request: its prompt has about {_counted(prompt, 'token')} and its answer may have "
                f"{answer}; this client's limit is {_counted(capacity, 'token')} per minute; send less, or set a lower "
                "max_tokens",
                param="messages" if prompt > capacity else "max_tokens",
            )

    def out_of_tokens(self, tokens: int, now: float) -> RateLimitExceeded:
        """The error for too many tokens per minute."""
        # The next attempt also takes a request.
        wanted = ((self._tokens, tokens), (self._requests, 1))
        waits = [bucket.wait(units, now) for bucket, units in wanted if bucket is not None]
        return _exceeded("tokens", max(waits, default=0.0))

    def use_tokens(self, tokens: float, now: float) -> None:
        """Take tokens without asking (negative: give back)."""
        if self._tokens is not None:
            self._tokens.refill(now)
            self._tokens.take(tokens)
            self.tokens_used += tokens
            self.on_used(tokens)

    def headers(self, now: float) -> dict[str, str]:
        """``x-ratelimit-*`` for the limits that are set. Names are lower case."""
        headers: dict[str, str] = {}
        for bucket, what in self._limited():
            headers[f"x-ratelimit-limit-{what}"] = str(int(bucket.capacity))
            headers[f"x-ratelimit-remaining-{what}"] = str(bucket.remaining(now))
            headers[f"x-ratelimit-reset-{what}"] = duration(bucket.reset(now))
        return headers

    def anthropic_headers(self, now: float, clock: float) -> dict[str, str]:
        """The same in Anthropic's format; `clock`: wall clock, in seconds since 1970."""
        headers: dict[str, str] = {}
        for bucket, what in self._limited():
            headers[f"anthropic-ratelimit-{what}-limit"] = str(int(bucket.capacity))
            headers[f"anthropic-ratelimit-{what}-remaining"] = str(bucket.remaining(now))
            full = datetime.fromtimestamp(ceil(clock + bucket.reset(now)), UTC)
            headers[f"anthropic-ratelimit-{what}-reset"] = full.strftime("%Y-%m-%dT%H:%M:%SZ")
        return headers

    def _limited(self) -> Iterator[tuple[Bucket, str]]:
        for bucket, what in ((self._requests, "requests"), (self._tokens, "tokens")):
            if bucket is not None:
                yield bucket, what


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _exceeded(what: str, wait: float) -> RateLimitExceeded:
    return RateLimitExceeded(
        f"cannot accept this request: this client has reached its limit of {what} per minute; try again in "
        f"{duration(wait)}",
        retry_after=wait,
    )


def _changed(bucket: Bucket | None, capacity: int, now: float) -> Bucket | None:
    if capacity <= 0:
        return None
    if bucket is None:
        return Bucket.full(capacity, now)
    bucket.resize(capacity, now)
    return bucket
