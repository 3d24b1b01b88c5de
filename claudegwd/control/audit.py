"""GET /v1/audit?lines=N: who changed what over this socket."""

from __future__ import annotations

from typing import Final

from claudegwd.control.controllable import Controls
from claudegwd.control.request import ControlRequest, ControlResponse
from claudegwd.store.audit import ROWS_MAX

DEFAULT_LINES: Final = 50


async def rows(controls: Controls, request: ControlRequest) -> ControlResponse:
    return ControlResponse(
        {"changes": await controls.gateway.audit.rows(request.number("lines", DEFAULT_LINES, ROWS_MAX))}
    )
