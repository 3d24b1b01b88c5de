"""POST /v1/notify/test: send every target a test notification, and say what came of it."""

from __future__ import annotations

from typing import Final

from claudegwd.control.ask import Answer, Ask
from claudegwd.control.gateway_protocol import Gateway
from claudegwd.control.problems import Refused

_NOWHERE: Final = (
    "cannot send a test: nobody is to be told; set notify.command or notify.url, for example "
    "`claudegwctl config set notify.command /usr/local/bin/tell-me`"
)


async def test(gateway: Gateway, ask: Ask) -> Answer:
    ask.only()
    results = await gateway.notifications.test()
    if not results:
        raise Refused(409, "not_configured", _NOWHERE)
    ask.changed("a test notification was sent", count=len(results))
    return Answer({"targets": results})
