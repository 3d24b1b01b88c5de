"""Passes events that people are notified of from the parts of the gateway that detect them to the notifications."""

import logging
from collections.abc import Mapping
from typing import Any, Final, Protocol

import trio

from claudegwd.claude_cli.launch import OWN_LOGIN
from claudegwd.gateway.key_log import log_key_news
from claudegwd.keys.news import TOLD, KeyNews
from claudegwd.keys.ring import KeyRing
from claudegwd.limits.budget import Budget
from claudegwd.limits.spending import Spending
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.notify.notice import (
    of_approval,
    of_budget,
    of_cli,
    of_key,
    of_login,
    of_no_credentials,
    of_outage,
    of_window,
)
from claudegwd.notify.notifications import Notifications
from claudegwd.workspaces.approvals import WAIT_SECONDS, Approvals

# How often the CLI's starts and the login are checked: no callback reports changes of those.
WATCH_SECONDS: Final = 1.0
# Overloads usually end within minutes, and nobody can do anything about them.
OUTAGE_SECONDS: Final = 300.0


class Watched(Protocol):
    """The part of the gateway that is watched."""

    notifications: Notifications

    def cli_fails(self) -> bool:
        """Whether CLI processes no longer start."""
        ...

    def unanswered_since(self) -> float | None:
        """Since when no upstream has answered, in seconds since the epoch; None if one does."""
        ...

    def lost_login(self) -> tuple[str, float | None]:
        """Without keys: the login that the upstream rejects, or limits until the time given; "" if it is usable."""
        ...

    def lacks_credentials(self) -> bool:
        """Whether there is neither a key nor a login."""
        ...


def connect(notifications: Notifications, ring: KeyRing, spending: Spending, approvals: Approvals) -> None:
    """From now on, notify of changes to keys, limit windows and budgets, and of approvals that are wanted."""

    def of_ring(news: KeyNews) -> None:
        log_key_news(news)
        if news.reason == TOLD:
            return
        for notice in of_key(news, notifications.clock()):
            notifications.tell(notice)

    def full(key: str, window: str, used: float, resets: float | None) -> None:
        notifications.tell(of_window(key, window, used, resets, notifications.clock()))

    def reached(client: str, budget: Budget, reset: float) -> None:
        notifications.tell(of_budget(client, budget, reset, notifications.clock()))

    def asked(row: Mapping[str, Any]) -> None:
        # Whoever was notified of the first one will see the others beside it.
        if sum(other["workspace"] == row["workspace"] for other in approvals.rows()) > 1:
            return
        until = row["asked"] + WAIT_SECONDS
        notifications.tell(of_approval(row["workspace"], row["client"], until, notifications.clock()))

    ring.on_news = of_ring
    ring.windows.on_full = full
    spending.on_reached = reached
    approvals.on_asked = asked


async def watch(gateway: Watched) -> None:
    """Forever: notify of a CLI that does not start, of a login that cannot be used, of the last key or login that was
    removed, and of an upstream that does not answer, once per occurrence."""
    fails, lost, out = False, "", 0.0
    lacks = gateway.lacks_credentials()  # whoever starts it without any is told there and then
    while True:
        if gateway.cli_fails() and not fails:
            gateway.notifications.tell(of_cli(gateway.notifications.clock()))
        name, until = gateway.lost_login()
        if name and name != lost:
            gateway.notifications.tell(of_login(name, until, gateway.notifications.clock()))
        if gateway.lacks_credentials() and not lacks:
            log_event(log, logging.ERROR, "neither a key nor a login is left: see `claudegwctl status`")
            gateway.notifications.tell(of_no_credentials(OWN_LOGIN, gateway.notifications.clock()))
        fails, lost, lacks = gateway.cli_fails(), name, gateway.lacks_credentials()
        since, now = gateway.unanswered_since(), gateway.notifications.clock()
        if since is not None and since != out and now - since >= OUTAGE_SECONDS:
            gateway.notifications.tell(of_outage(since, now))
            out = since
        await trio.sleep(WATCH_SECONDS)
