"""GET /v1/usage?since=7d&by=client,key,model,day,hour&client=NAME: who used what, and what it cost by the CLI."""

from __future__ import annotations

import time

from claudegwd.control.controllable import Controls
from claudegwd.control.problems import BadRequest
from claudegwd.control.request import ControlRequest, ControlResponse
from claudegwd.ledger.query import UsageQueryError, read_query


async def show(controls: Controls, request: ControlRequest) -> ControlResponse:
    try:
        question = read_query(request.query, time.time())
    except UsageQueryError as error:
        raise BadRequest(str(error)) from None
    return ControlResponse(await controls.gateway.ledger.read(question))
