"""GET /v1/requests: the requests under way that ask a model. Nothing of their content."""

from __future__ import annotations

from claudegwd.control.ask import Answer, Ask
from claudegwd.control.gateway_protocol import Gateway


async def rows(gateway: Gateway, _: Ask) -> Answer:
    return Answer({"requests": gateway.requests()})
