"""POST /v1/drain and /v1/undrain: whether load balancers should send new requests here. Requests are served anyway."""

from __future__ import annotations

from claudegwd.control.controllable import Controls
from claudegwd.control.request import ControlRequest, ControlResponse


async def drain(controls: Controls, request: ControlRequest) -> ControlResponse:
    request.only()
    changed = controls.gateway.life.drain()
    if changed:
        request.changed("drained by the operator")
    return _answer(controls, changed=changed)


async def undrain(controls: Controls, request: ControlRequest) -> ControlResponse:
    request.only()
    changed = controls.gateway.life.undrain()
    if changed:
        request.changed("undrained by the operator")
    return _answer(controls, changed=changed)


def _answer(controls: Controls, *, changed: bool) -> ControlResponse:
    requests = len(controls.gateway.requests())
    return ControlResponse(
        {"drained_since": controls.gateway.life.drained_since, "changed": changed, "requests": requests}
    )
