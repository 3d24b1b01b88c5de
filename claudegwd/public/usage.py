"""GET /v1/usage: the usage of the client that owns this key, and of no other."""

import time
from dataclasses import replace

from quart import Response, request

from claudegwd.ledger.query import UsageQueryError, read_query
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import InternalError, InvalidRequest
from claudegwd.public.call import Call
from claudegwd.store.database import StateError

# Which upstream keys there are is the operator's business.
_GROUPS = ("model", "day", "hour")


async def usage(call: Call) -> Response:
    """Its sums, `?since=7d&by=model,day,hour`."""
    gateway = call.gateway
    try:
        question = read_query(request.args.to_dict(), time.time(), _GROUPS)
    except UsageQueryError as error:
        raise InvalidRequest(str(error), param=error.param) from None
    try:
        found = await gateway.ledger.read(replace(question, client=call.client.name))
    except StateError:
        raise InternalError("cannot read the usage: see the gateway's log, or ask its operator") from None
    return Response(encode(found), content_type="application/json")
