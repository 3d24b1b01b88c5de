from __future__ import annotations

from claudegwd.ledger.entry import Line, Sums
from claudegwd.ledger.series import FIRST_TOKEN_SECONDS, OTHER, SERIES_MAX, Series


def line(client: str, status: int = 200) -> Line:
    return Line(0, client, "k0", "sonnet", "", "/v1/chat/completions", "warm", status)


def test_sums_failures_and_first_tokens_by_place() -> None:
    series = Series()
    series.add(line("a"), Sums(1, 10, 5, firsts=1, first_ms=70))
    series.add(line("a", 429), Sums(1))
    series.add(line("a"), Sums(cost=0.5))
    total = series.totals["a", "k0", "sonnet"]
    assert (total.sums.requests, total.sums.prompt, total.failed, total.sums.cost) == (2, 10, 1, 0.5)
    assert total.first_tokens == [0, 1] + [0] * (len(FIRST_TOKEN_SECONDS) - 1)


def test_however_many_clients_there_are_the_series_are_bounded_and_nothing_is_lost() -> None:
    series = Series()
    for number in range(3 * SERIES_MAX):
        series.add(line(f"client{number}"), Sums(1))
    assert len(series.totals) == SERIES_MAX + 1
    assert series.totals[OTHER, OTHER, OTHER].sums.requests == 2 * SERIES_MAX
    assert sum(total.sums.requests for total in series.totals.values()) == 3 * SERIES_MAX
