"""POST /v1/rotate {"to": NAME|null, "all"?: true}: choose the key for new conversations, here or on all machines."""

from __future__ import annotations

import time

from claudegwd.control.controllable import Controls
from claudegwd.control.everywhere import order
from claudegwd.control.problems import BadRequest
from claudegwd.control.request import ControlRequest, ControlResponse


async def rotate(controls: Controls, request: ControlRequest) -> ControlResponse:
    fields = request.only("to", "all")
    to, everywhere = fields.get("to"), fields.get("all", False)
    if not (to is None or isinstance(to, str)):
        raise BadRequest('cannot rotate: set "to" to the name of a key, or to null for the next one')
    if not isinstance(everywhere, bool):
        raise BadRequest("cannot rotate: all must be true or false")
    ring = controls.gateway.ring
    before = ring.active
    name = ring.next_active(time.time(), to)
    if everywhere:
        await order(controls, lambda orders: orders.rotate(name))
    ring.rotate(time.time(), name)
    if everywhere or before is None or before.name != name:
        text = "keys rotated on all machines" if everywhere else "keys rotated"
        request.changed(text, before=before.name if before else None, after=name)
    return ControlResponse({"from": before.name if before else None, "to": name})
