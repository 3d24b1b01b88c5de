"""GET /v1/models: the offered models, with what the CLI is told for each."""

from __future__ import annotations

from claudegwd.control.controllable import Controls
from claudegwd.control.request import ControlRequest, ControlResponse


async def rows(controls: Controls, _: ControlRequest) -> ControlResponse:
    return ControlResponse(
        {"models": await controls.gateway.models(), "default": controls.gateway.config.claude.default_model}
    )
