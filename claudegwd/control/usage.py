"""GET /v1/usage?since=7d&by=client,key,model,day,hour&client=NAME: who used what, and what it cost by the CLI."""

from __future__ import annotations

import time

from claudegwd.control.ask import Answer, Ask
from claudegwd.control.gateway_protocol import Gateway
from claudegwd.control.problems import BadRequest
from claudegwd.ledger.query import UsageQueryError, read_query


async def show(gateway: Gateway, ask: Ask) -> Answer:
    try:
        question = read_query(ask.query, time.time())
    except UsageQueryError as error:
        raise BadRequest(str(error)) from None
    return Answer(await gateway.ledger.read(question))
