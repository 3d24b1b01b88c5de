"""POST /v1/rotate {"to": NAME|null}: the key for new conversations."""

from __future__ import annotations

import time

from claudegwd.control.ask import Answer, Ask
from claudegwd.control.gateway_protocol import Gateway
from claudegwd.control.problems import BadRequest


async def rotate(gateway: Gateway, ask: Ask) -> Answer:
    to = ask.only("to").get("to")
    if not (to is None or isinstance(to, str)):
        raise BadRequest('cannot rotate: write the name of a key in "to", or null for the next one')
    before = gateway.ring.active
    name = gateway.ring.rotate(time.time(), to)
    if before is None or before.name != name:
        ask.changed("keys rotated", before=before.name if before else None, after=name)
    return Answer({"from": before.name if before else None, "to": name})
