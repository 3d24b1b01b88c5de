"""POST /v1/notify/test: send a test notification to every target and return the results."""

from __future__ import annotations

from typing import Final

from claudegwd.control.controllable import Controls
from claudegwd.control.problems import ControlRefusal
from claudegwd.control.request import ControlRequest, ControlResponse

_NOWHERE: Final = (
    "cannot send a test: no notifications are configured; set notify.command or notify.url, for example "
    "`claudegwctl config set notify.command /usr/local/bin/tell-me`"
)


async def test(controls: Controls, request: ControlRequest) -> ControlResponse:
    request.only()
    results = await controls.gateway.notifications.test()
    if not results:
        raise ControlRefusal(409, "not_configured", _NOWHERE)
    request.changed("notifications tested", count=len(results))
    return ControlResponse({"targets": results})
