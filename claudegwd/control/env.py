"""GET /v1/env?shell=S: lines for a shell's eval that take on the current key. They name a file; they hold no token."""

from __future__ import annotations

from claudegwd.control.ask import Answer, Ask
from claudegwd.control.gateway_protocol import Gateway
from claudegwd.control.problems import Refused
from claudegwd.keys.shell_files import ENV_FILE_NAME, Shell, source_lines


async def lines(gateway: Gateway, ask: Ask) -> Answer:
    shell = ask.choice("shell", Shell.BASH.value, [each.value for each in Shell])
    if not gateway.config.keys.shell_files:
        raise Refused(
            409,
            "not_available",
            "cannot print the lines: no env.sh is kept; name a shell file under keys.shell_files, then reload",
        )
    file = gateway.loaded.path.with_name(ENV_FILE_NAME)
    return Answer({"file": str(file), "shell": shell, "lines": source_lines(str(file), Shell(shell))})
