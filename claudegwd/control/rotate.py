"""POST /v1/rotate {"to": NAME|null}: the key for new conversations."""

from __future__ import annotations

import time

from claudegwd.control.controllable import Controls
from claudegwd.control.problems import BadRequest
from claudegwd.control.request import ControlRequest, ControlResponse


async def rotate(controls: Controls, request: ControlRequest) -> ControlResponse:
    to = request.only("to").get("to")
    if not (to is None or isinstance(to, str)):
        raise BadRequest('cannot rotate: write the name of a key in "to", or null for the next one')
    before = controls.gateway.ring.active
    name = controls.gateway.ring.rotate(time.time(), to)
    if before is None or before.name != name:
        request.changed("keys rotated", before=before.name if before else None, after=name)
    return ControlResponse({"from": before.name if before else None, "to": name})
