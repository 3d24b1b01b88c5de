"""GET /v1/workspaces: the directories in which Claude may work with its own tools, and their problems."""

from __future__ import annotations

from claudegwd.control.controllable import Controls
from claudegwd.control.request import ControlRequest, ControlResponse


async def rows(controls: Controls, _: ControlRequest) -> ControlResponse:
    return ControlResponse({"workspaces": await controls.gateway.workspaces.rows(controls.gateway.config)})
