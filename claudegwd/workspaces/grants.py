"""The short-lived keys that a CLI in a workspace uses to ask the gateway itself, and nothing else."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from claudegwd.limits.clients import TOKEN_BYTES, Client, client_token, token_digest
from claudegwd.openai_api.errors import AuthenticationFailed, GatewayError, PermissionDenied

# For each turn of the CLI: one for its step, and those by which it summarises, searches and looks at pages.
REQUESTS_PER_TURN = 4


@dataclass(slots=True, eq=False)
class Grant:
    """One answer's key. Its requests go to `model` whatever they name, and count as part of the request of `client` for
    `asked_model` at `route`.

    The CLI observes its bounds by itself; these also hold if something else in there finds the key.
    """

    client: Client
    workspace: str
    model: str
    max_turns: int
    max_usd: float
    asked_model: str = ""
    route: str = ""
    searches: bool = False  # whether the upstream may search the web
    requests: int = 0
    usd: float = 0.0
    error: GatewayError | None = None  # the last one that it got
    rests: bool = False  # no answer is running

    def use(self) -> None:
        """Count a request. Raises PermissionDenied beyond the bounds, or if no answer was asked for."""
        if self.rests:
            raise PermissionDenied("cannot answer: no answer is running in this workspace", code="workspace_bound")
        self.requests += 1
        if self.requests > self.max_turns * REQUESTS_PER_TURN or (self.max_usd and self.usd >= self.max_usd):
            raise PermissionDenied("cannot continue: a limit of this workspace is reached", code="workspace_bound")

    def renew(self, client: Client) -> None:
        """Another answer begins, for this client."""
        self.client, self.error, self.rests = client, None, False
        self.requests, self.usd = 0, 0.0

    def spend(self, usd: float) -> None:
        """Add what a request cost."""
        self.usd += usd


class Grants:
    """The keys in use, by digest."""

    def __init__(self, randomness: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._randomness = randomness
        self._grants: dict[bytes, Grant] = {}

    @contextmanager
    def open(self, grant: Grant) -> Iterator[str]:
        """A new key for it, valid until the block ends."""
        token = client_token(self._randomness(TOKEN_BYTES))
        digest = token_digest(token)
        self._grants[digest] = grant
        try:
            yield token
        finally:
            del self._grants[digest]

    def find(self, token: str) -> Grant:
        """Raises AuthenticationFailed for a key that is not in use."""
        grant = self._grants.get(token_digest(token))
        if grant is None:
            raise AuthenticationFailed("cannot accept this API key: it belongs to no running answer in a workspace")
        return grant
