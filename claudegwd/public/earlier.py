"""What a request continues: responses kept on this machine, or on others if machines share a store."""

from collections.abc import Callable
from typing import Final, TypeVar

import trio

from claudegwd.gateway.gateway import Gateway
from claudegwd.openai_api.errors import CallerError, InvalidRequest
from claudegwd.store.responses import OwnResponses

# A whole conversation needs one; only references to items of several conversations need more.
FETCHES_MAX: Final = 32

_T = TypeVar("_T")


async def with_earlier(
    gateway: Gateway, owner: str, size: int, read: Callable[[OwnResponses], _T], also: str = ""
) -> _T:
    """`read` a request of this size, which may continue earlier responses of its owner and what is kept for `also`.
    Together they must not exceed the maximum size of a body."""
    for _ in range(FETCHES_MAX):
        earlier = _earlier(gateway, owner, size, also)
        try:
            return read(earlier)
        except CallerError:
            _check_running(gateway, owner, earlier.missing)
            if not earlier.missing or not await fetched(gateway, owner, earlier.missing):
                raise
    return read(_earlier(gateway, owner, size, also))


async def fetched(gateway: Gateway, owner: str, ident: str) -> bool:
    """Fetch a response that another machine keeps. Returns whether there was one."""
    return gateway.sharing is not None and await gateway.sharing.fetch_response(owner, ident)


def _check_running(gateway: Gateway, owner: str, ident: str) -> None:
    """Raise InvalidRequest for a response that is not kept yet: it will be, so its client must not start over."""
    running = gateway.responses.running.get(owner, ident)
    if running is not None and not running.ended:
        raise InvalidRequest(
            "cannot continue from this response yet: it is still running in the background; wait until its status is "
            "completed",
            param="previous_response_id",
        ) from None


def _earlier(gateway: Gateway, owner: str, size: int, also: str) -> OwnResponses:
    room = gateway.config.server.max_body_bytes - size
    return gateway.responses.kept.of(owner, trio.current_time(), room, gateway.responses.seal, also)
