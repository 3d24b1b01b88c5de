"""GET /v1/env?shell=S: lines for a shell's eval that set the current key. They name a file and contain no token."""

from __future__ import annotations

from claudegwd.control.controllable import Controls
from claudegwd.control.problems import ControlRefusal
from claudegwd.control.request import ControlRequest, ControlResponse
from claudegwd.keys.shell_files import ENV_FILE_NAME, Shell, source_lines


async def lines(controls: Controls, request: ControlRequest) -> ControlResponse:
    shell = request.choice("shell", Shell.BASH.value, [each.value for each in Shell])
    if not controls.gateway.config.keys.shell_files:
        raise ControlRefusal(
            409,
            "not_available",
            "cannot print the lines: there is no env.sh; set keys.shell_files, then reload",
        )
    file = controls.reloader.loaded.path.with_name(ENV_FILE_NAME)
    return ControlResponse({"file": str(file), "shell": shell, "lines": source_lines(str(file), Shell(shell))})
