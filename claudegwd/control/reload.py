"""POST /v1/reload: read configuration and keys again. Answers what changed; on an error all stays as it was."""

from __future__ import annotations

from claudegwd.control.controllable import Controls
from claudegwd.control.request import ControlRequest, ControlResponse


async def reload(controls: Controls, request: ControlRequest) -> ControlResponse:
    request.only()
    request.changed("a reload was asked for")
    return ControlResponse(await controls.reloader.reload())
