"""What is done on all machines that share a store, and not on this one alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from claudegwd.control.controllable import Controls, Orders
from claudegwd.control.problems import ControlRefusal
from claudegwd.shared.connection import StoreAwayError


async def order(controls: Controls, give: Callable[[Orders], Awaitable[None]]) -> None:
    """Give an order to all machines, this one among them. Raises ControlRefusal, and then nothing was done."""
    sharing = controls.gateway.sharing
    if sharing is None or sharing.orders is None:
        raise ControlRefusal(
            409,
            "not_shared",
            "cannot reach other machines: shared.url and shared.secret_file have to be set (docs/scale.md)",
        )
    try:
        await give(sharing.orders)
    except StoreAwayError:
        raise ControlRefusal(
            503,
            "store_away",
            "cannot reach the other machines: the shared store is away (`claudegwctl status` says why); without --all "
            "it is done here",
        ) from None
