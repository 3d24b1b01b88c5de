"""Usage metrics for Prometheus, read from the ledger's own totals at a scrape, so that the two always agree."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily

from claudegwd.ledger.series import FIRST_TOKEN_SECONDS, Series

_PLACE = ("client", "key", "model")
_TOOLS = {"web_search": "web_searches", "web_fetch": "web_fetches", "code_execution": "code_executions"}
_KINDS = {"prompt": "prompt", "completion": "completion", "cache_read": "cached", "cache_write": "written"}


def families(series: Series, lost: int) -> Iterator[Metric]:
    """Requests, tokens, cost and first tokens by client, upstream key and model. `lost`: requests that were never
    written to the state file; these sums include them."""
    requests = CounterMetricFamily(
        "claudegwd_usage_requests",
        "Model requests, including refused ones.",
        labels=(*_PLACE, "outcome"),
    )
    tokens = CounterMetricFamily(
        "claudegwd_usage_tokens", "Tokens as counted by the upstream; prompt includes cache reads and writes.",
        labels=(*_PLACE, "kind"),
    )  # fmt: skip
    cost = CounterMetricFamily(
        "claudegwd_usage_cost_usd", "Cost in US dollars, as the CLI computes it from its own prices.", labels=_PLACE
    )
    tools = CounterMetricFamily(
        "claudegwd_usage_server_tool_uses", "Uses of server-side tools.", labels=(*_PLACE, "tool")
    )
    first = HistogramMetricFamily(
        "claudegwd_usage_first_token_seconds", "From the request head to the first token.", labels=_PLACE
    )
    ends = [*map(str, FIRST_TOKEN_SECONDS), "+Inf"]
    for place, total in series.totals.items():
        sums = total.sums
        requests.add_metric((*place, "answered"), sums.requests - total.failed)
        requests.add_metric((*place, "failed"), total.failed)
        for kind, name in _KINDS.items():
            tokens.add_metric((*place, kind), getattr(sums, name))
        cost.add_metric(place, sums.cost)
        for tool, name in _TOOLS.items():
            if uses := getattr(sums, name):
                tools.add_metric((*place, tool), uses)
        counts = list(zip(ends, accumulate(total.first_tokens), strict=True))
        first.add_metric(place, counts, sums.first_ms / 1000)
    yield from (requests, tokens, cost, tools, first)
    yield CounterMetricFamily(
        "claudegwd_usage_lost",
        "Requests whose usage could not be recorded, because the disk was full for too long.",
        lost,
    )
