"""What a request continues: kept responses of this machine, and those of others if machines share a store."""

from collections.abc import Callable
from typing import Final, TypeVar

import trio

from claudegwd.gateway.gateway import Gateway
from claudegwd.openai_api.errors import CallerError
from claudegwd.store.responses import OwnResponses

# A whole conversation needs one; only references to items of several conversations need more.
FETCHES_MAX: Final = 32

_T = TypeVar("_T")


async def with_earlier(
    gateway: Gateway, owner: str, size: int, read: Callable[[OwnResponses], _T], also: str = ""
) -> _T:
    """`read` a request that has this size and may go on from earlier responses of its owner, and what is kept for
    `also`. With them, it is no larger than any body may be."""
    for _ in range(FETCHES_MAX):
        earlier = _earlier(gateway, owner, size, also)
        try:
            return read(earlier)
        except CallerError:
            if not earlier.missing or not await fetched(gateway, owner, earlier.missing):
                raise
    return read(_earlier(gateway, owner, size, also))


async def fetched(gateway: Gateway, owner: str, ident: str) -> bool:
    """Take up what another machine keeps; whether there was such a response."""
    return gateway.sharing is not None and await gateway.sharing.fetch_response(owner, ident)


def _earlier(gateway: Gateway, owner: str, size: int, also: str) -> OwnResponses:
    room = gateway.config.server.max_body_bytes - size
    return gateway.responses.kept.of(owner, trio.current_time(), room, gateway.responses.seal, also)
