"""What a CLI that works in a workspace may request: the Messages API, with its own short-lived key.

Each such process has its own listener, and no other key is accepted there.
"""

from dataclasses import replace

import trio
from quart import Response, request
from quart_trio import QuartTrio

from claudegwd.gateway.gateway import Gateway
from claudegwd.limits.meter import Admission, Limits, Meter
from claudegwd.public import access, messages
from claudegwd.public.app import Route, begin, new_app

ROUTES = (
    Route("POST", "/v1/messages", messages.messages_create),
    Route("POST", "/v1/messages/count_tokens", messages.messages_count),
)


def inside_app(gateway: Gateway) -> QuartTrio:
    """The application, for Hypercorn."""
    return new_app(gateway, ROUTES, _begin)


async def _begin(gateway: Gateway) -> Response | None:
    call = begin(gateway)
    access.check_host(gateway, request.headers.get("host", ""))
    access.check_origin(gateway, request.headers.get("origin"))
    grant = gateway.workspaces.grants.find(access.token_of(request.headers))
    access.check_body_type(request.headers)
    grant.use()
    call.grant = grant
    # It counts towards the budgets and the ledger of the client that the answer is for. Requests and tokens per minute
    # are counted only once, for the client's own request.
    call.client = replace(grant.client, models=())
    call.record.client = grant.client.name
    call.record.part_of = (grant.asked_model, grant.route)
    call.admitted = Admission(Meter(Limits(), trio.current_time()), settled=True)
    return None
