"""GET /v1/status: the daemon's status."""

from __future__ import annotations

from claudegwd.control.controllable import Controls
from claudegwd.control.request import ControlRequest, ControlResponse


async def show(controls: Controls, _: ControlRequest) -> ControlResponse:
    return ControlResponse({**controls.gateway.status(), **controls.reloader.status()})
