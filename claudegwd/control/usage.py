"""GET /v1/usage?since=7d&by=client,key,model,answered,route,how,day,hour&client=NAME: usage and its cost as the CLI
computes it; all=1: on all machines."""

from __future__ import annotations

import time

from claudegwd.config.fields import nearest
from claudegwd.control import everywhere
from claudegwd.control.controllable import Controls
from claudegwd.control.problems import BadRequest, ControlRefusal
from claudegwd.control.request import ControlRequest, ControlResponse
from claudegwd.ledger.query import UsageQueryError, read_query


async def show(controls: Controls, request: ControlRequest) -> ControlResponse:
    try:
        question = read_query(request.query, time.time())
    except UsageQueryError as error:
        raise BadRequest(str(error)) from None
    if request.flag("all"):
        return ControlResponse(await everywhere.usage(controls, question))
    found = await controls.gateway.ledger.read_all(question)
    if question.client and not found["rows"]:
        await _check_name(controls, question.client)
    return ControlResponse(found)


async def _check_name(controls: Controls, client: str) -> None:
    """Reject a name that no client has or had: an empty table would look as if it had used nothing."""
    clients = controls.gateway.clients
    names = [row["name"] for row in await clients.rows()] if clients is not None else []
    if client in names or await controls.gateway.ledger.knows(client):
        return
    near = nearest(client, names)
    hint = f"did you mean {near!r}? " if near else ""
    raise ControlRefusal(
        404, "not_found", f"cannot find client {client[:64]!r}: {hint}`claudegwctl clients list` shows the names"
    )
