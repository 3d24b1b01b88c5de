"""GET /v1/models: what is offered, with what the CLI is told for it."""

from __future__ import annotations

from claudegwd.control.ask import Answer, Ask
from claudegwd.control.gateway_protocol import Gateway


async def rows(gateway: Gateway, _: Ask) -> Answer:
    return Answer({"models": await gateway.models(), "default": gateway.config.claude.default_model})
