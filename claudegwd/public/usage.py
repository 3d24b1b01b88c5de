"""GET /v1/usage: the usage of only the client that owns this key."""

import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from quart import Response, request

from claudegwd.gateway.gateway import Gateway
from claudegwd.ledger.merging import merged
from claudegwd.ledger.query import UsageQuery, UsageQueryError, read_query
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import InternalError, InvalidRequest
from claudegwd.public.call import Call
from claudegwd.shared.connection import StoreAwayError
from claudegwd.store.database import StateError

# Not by upstream key: which ones there are is the operator's business.
_GROUPS = ("model", "day", "hour")


async def usage(call: Call) -> Response:
    """Its sums, `?since=7d&by=model,day,hour`; `complete`: whether they include all machines."""
    gateway = call.gateway
    try:
        question = read_query(request.args.to_dict(), time.time(), _GROUPS)
    except UsageQueryError as error:
        raise InvalidRequest(str(error), param=error.param) from None
    try:
        found, complete = await _read(gateway, replace(question, client=call.client.name))
    except StateError:
        raise InternalError("cannot read the usage: the gateway's log says why; ask its operator") from None
    return Response(encode({**found, "complete": complete}), content_type="application/json")


async def _read(gateway: Gateway, question: UsageQuery) -> tuple[dict[str, Any], bool]:
    """The sums of all machines that share the store, and whether each of them has answered. Raises StateError."""
    sharing = gateway.sharing
    if sharing is None:
        return await gateway.ledger.read(question), True
    if sharing.store.away_since is None:  # otherwise this machine answers for itself, at once
        with suppress(StoreAwayError):
            answers, silent = await sharing.read_usage(question) or ({}, [])
            if answers:
                found = merged(list(answers.values()))
                found.pop("lost", None)  # of all clients
                return found, not silent
    return await gateway.ledger.read(question), False
