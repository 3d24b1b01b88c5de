"""What it costs to write down who used what: all that a request pays for on the event loop, and what is done behind it.

Measured in processor time of the thread: other people's programs run beside ours.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from claudegwd.gateway.booking import Booking
from claudegwd.ledger.entry import Line, Sums, minute_of
from claudegwd.limits.budget import read_budgets
from claudegwd.limits.spending import Spending
from claudegwd.store.database import Database
from claudegwd.store.ledger import Ledger
from claudegwd.store.usage_rows import write_usage
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.outputs import After, Finished, Started, TokenCount

# Short rounds and many: some of them are disturbed by nobody.
REQUESTS: Final = 500
ROUNDS: Final = 20
# As in a busy minute: so many people ask again and again, and make so many rows.
CLIENTS: Final = 25
ROWS: Final = 200
ROUTE: Final = "/v1/chat/completions"


class Cost(NamedTuple):
    """Seconds. `request`: of one, on the event loop; `row`: of one row that is written, in a thread."""

    request: float
    row: float


async def cost_of_booking(directory: Path) -> Cost:
    """The best of some rounds, each with everything new."""
    best = Cost(1.0, 1.0)
    gc.collect()
    gc.freeze()  # what else the process holds, a whole test suite perhaps, is not ours to collect
    budgets = read_budgets("1000usd/month,10Mtokens/day")
    for number in range(ROUNDS):
        database = Database(directory / f"state{number}.db")
        try:
            spending = Spending()
            spending.budgets_of = lambda _: budgets
            ledger = Ledger(database)
            request = _book(ledger, spending, [_answer() for _ in range(REQUESTS)])
            lines = {Line(0, f"client{each}", "k0", "sonnet", "", ROUTE, "warm", 200): Sums(1) for each in range(ROWS)}
            began = time.thread_time()
            database.run_blocking(write_usage, lines)
            best = Cost(min(best.request, request), min(best.row, (time.thread_time() - began) / ROWS))
        finally:
            database.close()
    gc.unfreeze()
    return best


def _answer() -> Answer:
    answer = Answer()
    answer.add([Started("claude-sonnet-5", TokenCount(100, 1, 10, 3, 5))])
    answer.add([Finished("stop", TokenCount(100, 20, 10, 3, 5), After.KEEP)])
    return answer


def _book(ledger: Ledger, spending: Spending, answers: Sequence[Answer]) -> float:
    """As a reply does it at the end of a request, and the CLI when it tells the cost."""
    began = time.thread_time()
    for number, answer in enumerate(answers):
        client = f"client{number % CLIENTS}"
        line = Line(
            minute_of(ledger.clock()), client, "k0", "sonnet", answer.model, ROUTE, "warm", 200
        )  # fmt: skip
        Booking(ledger.note, spending, line, answer, lambda _: None).begin(Sums(1, firsts=1, first_ms=50, all_ms=90))
        answer.spend(0.0042)
    return (time.thread_time() - began) / len(answers)
