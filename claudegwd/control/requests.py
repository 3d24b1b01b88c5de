"""GET /v1/requests: the running requests to models, without their content."""

from __future__ import annotations

from claudegwd.control.controllable import Controls
from claudegwd.control.request import ControlRequest, ControlResponse


async def rows(controls: Controls, _: ControlRequest) -> ControlResponse:
    return ControlResponse({"requests": controls.gateway.requests()})
