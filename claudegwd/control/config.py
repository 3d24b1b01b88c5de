"""/v1/config: the configuration in effect, and whether the file is valid."""

from __future__ import annotations

from claudegwd.config import config_rows, diff
from claudegwd.control.ask import Answer, Ask
from claudegwd.control.gateway_protocol import Gateway


async def show(gateway: Gateway, _: Ask) -> Answer:
    """GET /v1/config: every key with its value and where that comes from. The configuration holds no secrets."""
    loaded = gateway.loaded
    return Answer(
        {
            "path": str(loaded.path),
            "exists": loaded.exists,
            "generation": gateway.generation,
            "settings": config_rows(loaded, gateway.config),
            "waiting_for_restart": [change.as_dict() for change in diff(gateway.config, loaded.config)],
            "warnings": list(loaded.warnings),
        }
    )


async def check(gateway: Gateway, ask: Ask) -> Answer:
    """POST /v1/config/check: what a reload would change."""
    ask.only()
    return Answer({"path": str(gateway.loaded.path), **await gateway.check()})
