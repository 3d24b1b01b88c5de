from __future__ import annotations

from pathlib import Path

from claudegwd.gateway.booking import Booking
from claudegwd.ledger.entry import SUMS, Line, Sums
from claudegwd.limits.budget import read_budgets
from claudegwd.limits.spending import Spending
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.outputs import After, Finished, ServerToolStart, Started, TokenCount
from tests.bench.booking import cost_of_booking

LINE = Line(1_700_000_040, "laptop", "k0", "sonnet", "claude-sonnet", "/v1/messages", "warm", 200)
TOKENS, USD = read_budgets("1Mtokens/day,100usd/day")


async def test_a_request_pays_microseconds_for_all_of_it(tmp_path: Path) -> None:
    # Below 20 on a quiet machine, which tests.bench.booking is for; others that use its caches made it 27.
    assert (await cost_of_booking(tmp_path)).request < 60e-6


def booked(answer: Answer) -> tuple[Sums, Spending, list[float]]:
    """What is noted of an answer up to now and later, added up."""
    whole, spending, told = Sums(), Spending(), []
    Booking(lambda _, sums: whole.add(sums), spending, LINE, answer, told.append).begin(Sums(1))
    return whole, spending, told


def test_each_piece_of_news_is_counted_once() -> None:
    answer = Answer()
    answer.add([Started("claude-sonnet", TokenCount(100, 1, 10, 3, 5))])
    whole, spending, told = booked(answer)
    assert (whole.requests, whole.prompt, whole.completion, whole.unpriced) == (1, 100, 1, 1)
    answer.add([ServerToolStart("srvtoolu_1", "web_search")])
    answer.add([Finished("stop", TokenCount(100, 20, 10, 3, 5), After.KEEP)])
    answer.spend(0.25)
    answer.spend(0.5)
    expected = Sums(1, 100, 20, 10, 5, 3, priced=1, cost=0.75, web_searches=1)
    assert {name: getattr(whole, name) for name in SUMS} == {name: getattr(expected, name) for name in SUMS}
    assert (spending.spent("laptop", TOKENS, LINE.minute), spending.spent("laptop", USD, LINE.minute)) == (120, 0.75)
    assert told == [0.25, 0.5]
