from __future__ import annotations

from claudegwd.gateway.metrics import written
from claudegwd.gateway.usage_metrics import families
from claudegwd.ledger.entry import Line, Sums
from claudegwd.ledger.series import Series


def test_requests_tokens_cost_and_first_tokens() -> None:
    series = Series()
    line = Line(0, "laptop", "k0", "sonnet", "", "/v1/chat/completions", "warm", 200)
    series.add(line, Sums(1, 100, 20, 40, 10, 5, 1, 300, 900, 1, 0, 0.25, web_searches=3))
    series.add(line._replace(status=499), Sums(1, 7))
    text = b"".join(map(written, families(series, 7))).decode()
    place = 'client="laptop",key="k0",model="sonnet"'

    def kind(name: str) -> str:
        return f'client="laptop",key="k0",kind="{name}",model="sonnet"'

    for sample in (
        f'claudegwd_usage_requests_total{{{place},outcome="answered"}} 1.0',
        f'claudegwd_usage_requests_total{{{place},outcome="failed"}} 1.0',
        f"claudegwd_usage_tokens_total{{{kind('prompt')}}} 107.0",
        f"claudegwd_usage_tokens_total{{{kind('completion')}}} 20.0",
        f"claudegwd_usage_tokens_total{{{kind('cache_read')}}} 40.0",
        f"claudegwd_usage_tokens_total{{{kind('cache_write')}}} 10.0",
        f"claudegwd_usage_cost_usd_total{{{place}}} 0.25",
        f'claudegwd_usage_server_tool_uses_total{{{place},tool="web_search"}} 3.0',
        'claudegwd_usage_first_token_seconds_bucket{client="laptop",key="k0",le="0.25",model="sonnet"} 0.0',
        'claudegwd_usage_first_token_seconds_bucket{client="laptop",key="k0",le="0.5",model="sonnet"} 1.0',
        f"claudegwd_usage_first_token_seconds_sum{{{place}}} 0.3",
        "claudegwd_usage_lost_total 7.0",
    ):
        assert sample in text.splitlines()
