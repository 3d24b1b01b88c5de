"""/v1/config: the configuration in effect, and whether the file is valid."""

from __future__ import annotations

from claudegwd.config import config_rows, diff
from claudegwd.control.controllable import Controls
from claudegwd.control.request import ControlRequest, ControlResponse


async def show(controls: Controls, _: ControlRequest) -> ControlResponse:
    """GET /v1/config: every key with its value and where it comes from. The configuration contains no secrets."""
    loaded = controls.reloader.loaded
    return ControlResponse(
        {
            "path": str(loaded.path),
            "exists": loaded.exists,
            "generation": controls.reloader.generation,
            "settings": config_rows(loaded, controls.gateway.config),
            "waiting_for_restart": [change.as_dict() for change in diff(controls.gateway.config, loaded.config)],
            "warnings": list(loaded.warnings),
        }
    )


async def check(controls: Controls, request: ControlRequest) -> ControlResponse:
    """POST /v1/config/check: what a reload would change."""
    request.only()
    return ControlResponse({"path": str(controls.reloader.loaded.path), **await controls.reloader.check()})
