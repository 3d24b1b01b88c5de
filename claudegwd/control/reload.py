"""POST /v1/reload: read configuration and keys again. Answers what changed; on an error all stays as it was."""

from __future__ import annotations

from claudegwd.control.ask import Answer, Ask
from claudegwd.control.gateway_protocol import Gateway


async def reload(gateway: Gateway, ask: Ask) -> Answer:
    ask.only()
    ask.changed("a reload was asked for")
    return Answer(await gateway.reload())
