"""GET /v1/workers: the CLI processes."""

from __future__ import annotations

from claudegwd.control.controllable import Controls
from claudegwd.control.request import ControlRequest, ControlResponse


async def rows(controls: Controls, _: ControlRequest) -> ControlResponse:
    return ControlResponse({"workers": controls.gateway.workers(), "max": controls.gateway.config.workers.max})
