"""GET /v1/workers: the CLI processes."""

from __future__ import annotations

from claudegwd.control.ask import Answer, Ask
from claudegwd.control.gateway_protocol import Gateway


async def rows(gateway: Gateway, _: Ask) -> Answer:
    return Answer({"workers": gateway.workers(), "max": gateway.config.workers.max})
