"""What is recorded of a request: its attribution and its usage, never its content. Pure."""

from dataclasses import dataclass, fields
from typing import Final, NamedTuple

# The status of a request whose client left before its answer was complete: nginx's, known to people who read web server
# logs.
CLIENT_GONE: Final = 499
FAILED: Final = 400  # from this status on a request has failed
# Stands for a client if the gateway itself asks, for `keys test`. Parentheses are not allowed in clients' names.
TESTS: Final = "(keys test)"
# Upstreams choose their models' names freely; we limit what we keep of them.
MODEL_CHARACTERS: Final = 100


class Line(NamedTuple):
    """What a request counts for. Requests that agree in all fields share a row."""

    minute: int  # seconds since the epoch, a multiple of 60
    client: str  # "" if no key is required
    key: str  # the upstream key's name; "" for a request that never got one
    model: str  # the one that was asked for
    answered: str  # the one that answered; "" if none did
    route: str
    how: str  # how its worker was obtained; "" for none
    status: int


@dataclass(slots=True)
class Sums:
    """What the requests of one line used in total. `prompt` includes what the cache read and wrote."""

    requests: int = 0
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    written: int = 0
    reasoning: int = 0
    firsts: int = 0  # requests that had a first token
    first_ms: int = 0
    all_ms: int = 0
    priced: int = 0  # upstream answers whose cost the CLI reported
    unpriced: int = 0  # those that used tokens at an unknown cost
    cost: float = 0.0  # US dollars, of the priced ones
    # Uses of tools that run upstream.
    web_searches: int = 0
    web_fetches: int = 0
    code_executions: int = 0

    def add(self, other: "Sums") -> None:
        """Add the other's to this one."""
        # Written out: it is part of every request, and a loop over the names takes three times as long.
        self.requests += other.requests
        self.prompt += other.prompt
        self.completion += other.completion
        self.cached += other.cached
        self.written += other.written
        self.reasoning += other.reasoning
        self.firsts += other.firsts
        self.first_ms += other.first_ms
        self.all_ms += other.all_ms
        self.priced += other.priced
        self.unpriced += other.unpriced
        self.cost += other.cost
        self.web_searches += other.web_searches
        self.web_fetches += other.web_fetches
        self.code_executions += other.code_executions


SUMS: Final = tuple(field.name for field in fields(Sums))


def minute_of(moment: float) -> int:
    """The minute of a moment; both in seconds since the epoch."""
    return int(moment // 60) * 60
