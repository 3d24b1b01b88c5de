"""GET /v1/audit?lines=N: who changed what over this socket."""

from __future__ import annotations

from typing import Final

from claudegwd.control.ask import Answer, Ask
from claudegwd.control.gateway_protocol import Gateway
from claudegwd.store.audit import ROWS_MAX

DEFAULT_LINES: Final = 50


async def rows(gateway: Gateway, ask: Ask) -> Answer:
    return Answer({"changes": await gateway.audit.rows(ask.number("lines", DEFAULT_LINES, ROWS_MAX))})
