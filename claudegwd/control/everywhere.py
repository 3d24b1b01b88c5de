"""Operations that apply to all machines that share a store, not only to this one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from claudegwd.control.controllable import Controls, Orders
from claudegwd.control.problems import ControlRefusal
from claudegwd.ledger.merging import merged
from claudegwd.ledger.query import UsageQuery
from claudegwd.shared.connection import StoreAwayError


async def order(controls: Controls, give: Callable[[Orders], Awaitable[None]]) -> None:
    """Give an order to all machines, including this one. If it raises ControlRefusal, nothing was done."""
    sharing = controls.gateway.sharing
    if sharing is None or sharing.orders is None:
        raise _not_shared()
    try:
        await give(sharing.orders)
    except StoreAwayError:
        raise _away("without --all, it is done on this machine") from None


async def usage(controls: Controls, question: UsageQuery) -> dict[str, Any]:
    """The usage on all machines; `machines_silent`: those that did not answer. Raises ControlRefusal."""
    sharing = controls.gateway.sharing
    try:
        found = await sharing.read_usage(question) if sharing is not None else None
    except StoreAwayError:
        raise _away("without --all, this machine's usage is shown") from None
    if found is None:
        raise _not_shared()
    answers, silent = found
    if not answers:
        raise ControlRefusal(503, "no_answer", "cannot read the usage: no machine has answered; see `claudegwctl logs`")
    return {**merged(list(answers.values())), "machines": sorted(answers), "machines_silent": silent}


def _not_shared() -> ControlRefusal:
    return ControlRefusal(
        409,
        "not_shared",
        "cannot reach other machines: set shared.url and shared.secret_file (docs/scale.md)",
    )


def _away(instead: str) -> ControlRefusal:
    return ControlRefusal(
        503,
        "store_away",
        f"cannot reach the other machines: the shared store is unavailable (see `claudegwctl status`); {instead}",
    )
