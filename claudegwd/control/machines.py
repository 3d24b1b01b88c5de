"""GET /v1/machines: the machines that share a store with this one."""

from __future__ import annotations

from claudegwd.control.controllable import Controls
from claudegwd.control.problems import ControlRefusal
from claudegwd.control.request import ControlRequest, ControlResponse
from claudegwd.shared.connection import StoreAwayError


async def rows(controls: Controls, _: ControlRequest) -> ControlResponse:
    try:
        found = await controls.gateway.machines()
    except StoreAwayError:
        raise ControlRefusal(
            503,
            "store_away",
            "cannot ask the other machines: the shared store is unavailable; see `claudegwctl status`",
        ) from None
    if found is None:
        raise ControlRefusal(409, "not_shared", "cannot list other machines: shared.url is not set (docs/scale.md)")
    return ControlResponse({"machines": found})
