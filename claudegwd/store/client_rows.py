"""A client as `claudegwctl clients list` shows it."""

from typing import Any

from claudegwd.limits.clients import Client, ClientTotals
from claudegwd.limits.meter import Limits
from claudegwd.limits.spending import Spending


def shown_budgets(spending: Spending, client: Client, now: float) -> list[dict[str, Any]]:
    """Its budgets, with how much of each is used."""
    return [
        {"budget": str(budget), "used": spending.spent(client.name, budget, now), "resets": budget.reset(now)}
        for budget in client.budgets
    ]


def shown_client(client: Client, usage: ClientTotals, limits: Limits, now: float) -> dict[str, Any]:
    """Everything else of it, except its key."""
    return {
        "name": client.name,
        "state": client.state(now),
        "models": list(client.models),
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "concurrent_requests": limits.concurrent_requests,
        "server_tools": list(client.server_tools),
        "created": client.created or None,
        "expires": client.expires,
        "revoked": client.revoked,
        "source": "API_KEYS" if client.configured else "clients",
        "last_used": usage.last_used,
        "requests": usage.requests,
        "tokens": usage.tokens,
    }
