"""GET /v1/status: the daemon's status."""

from __future__ import annotations

from claudegwd.control.ask import Answer, Ask
from claudegwd.control.gateway_protocol import Gateway


async def show(gateway: Gateway, _: Ask) -> Answer:
    return Answer(gateway.status())
