"""GET /v1/requests: the requests under way that ask a model. Nothing of their content."""

from __future__ import annotations

from claudegwd.control.controllable import Controls
from claudegwd.control.request import ControlRequest, ControlResponse


async def rows(controls: Controls, _: ControlRequest) -> ControlResponse:
    return ControlResponse({"requests": controls.gateway.requests()})
