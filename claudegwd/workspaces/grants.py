"""The short-lived keys with which a CLI in a workspace asks the gateway itself, and nothing else."""

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
    """One answer's key. What it asks is asked of `model` whatever it names, and counts to `client` as a part of its
    request for `asked_model` at `route`.

    The CLI keeps to its bounds itself; these hold too where something else in there has found the key.
    """

    client: Client
    workspace: str
    model: str
    max_turns: int
    max_usd: float
    asked_model: str = ""
    route: str = ""
    searches: bool = False  # whether the web may be searched by the upstream
    requests: int = 0
    usd: float = 0.0
    error: GatewayError | None = None  # the last one that it was told
    rests: bool = False  # no answer is under way

    def use(self) -> None:
        """Count a request. Raises PermissionDenied beyond the bounds, and where nobody has asked for an answer."""
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
        """What a request has cost."""
        self.usd += usd


class Grants:
    """Those that are in use, by the digest of their key."""

    def __init__(self, randomness: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._randomness = randomness
        self._grants: dict[bytes, Grant] = {}

    @contextmanager
    def open(self, grant: Grant) -> Iterator[str]:
        """A new key for it, which ends with the block."""
        token = client_token(self._randomness(TOKEN_BYTES))
        digest = token_digest(token)
        self._grants[digest] = grant
        try:
            yield token
        finally:
            del self._grants[digest]

    def find(self, token: str) -> Grant:
        """Raises AuthenticationFailed for any but a key that is in use."""
        grant = self._grants.get(token_digest(token))
        if grant is None:
            raise AuthenticationFailed("cannot accept this API key: it belongs to no running answer in a workspace")
        return grant
