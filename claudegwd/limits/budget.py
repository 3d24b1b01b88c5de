"""What a client may spend per day, week or month. Pure: the time is an argument.

Days are UTC, as in the ledger; weeks begin on Monday, months on the first.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal

from claudegwd.openai_api.errors import RateLimitExceeded

Unit = Literal["usd", "tokens"]
Period = Literal["day", "week", "month"]
PERIODS: Final[tuple[Period, ...]] = ("day", "week", "month")

# From this share on, each answer says how much of a budget is used.
WARN_FROM: Final = 0.8

_DAY_SECONDS: Final = 86_400  # in UTC, as the system counts it
# Each request looks up the same windows some ten times: today's, and those of late reports.
DAYS_KNOWN: Final = 4

_FORM: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([km]?)\s*(usd|tokens?)\s*/\s*(day|week|month)", re.ASCII)
_FACTORS: Final = {"": 1, "k": 1_000, "m": 1_000_000}


class BudgetError(ValueError):
    """The budget cannot be understood; the text says what to write."""


class BudgetReached(RateLimitExceeded):
    """A client's budget is used up. The official clients do not retry; ``retry_after`` must be its reset."""

    type = "insufficient_quota"
    code = "insufficient_quota"
    hopeless = True


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount of US dollars or tokens per period."""

    amount: float
    unit: Unit
    period: Period

    def __str__(self) -> str:
        """As people write it; ``read_budgets`` reads it back."""
        millions = self.unit == "tokens" and self.amount % _FACTORS["m"] == 0
        amount = self.amount / _FACTORS["m"] if millions else self.amount
        return f"{amount:.6f}".rstrip("0").rstrip(".") + f"{'M' if millions else ''}{self.unit}/{self.period}"

    def start(self, now: float) -> float:
        """The start of the period that contains ``now``. Both are seconds since the epoch."""
        return start_of(self.period, now)

    def reset(self, now: float) -> float:
        """The start of the next period."""
        begun = datetime.fromtimestamp(self.start(now), UTC)
        if self.period == "month":
            return (begun + timedelta(days=32)).replace(day=1).timestamp()
        return (begun + timedelta(days=7 if self.period == "week" else 1)).timestamp()


def start_of(period: Period, now: float) -> float:
    """The start of the day, week or month that contains ``now``."""
    return _start_of(period, int(now // _DAY_SECONDS))


@lru_cache(maxsize=DAYS_KNOWN * len(PERIODS))
def _start_of(period: Period, number: int) -> float:
    day = datetime.fromtimestamp(number * _DAY_SECONDS, UTC)
    if period == "month":
        day = day.replace(day=1)
    elif period == "week":
        day -= timedelta(days=day.weekday())
    return day.timestamp()


def read_budgets(text: str) -> tuple[Budget, ...]:
    """Parse comma-separated budgets; empty or "none": none. Raises BudgetError."""
    words = [word.strip() for word in text.lower().split(",") if word.strip()]
    if words == ["none"]:
        return ()
    found = tuple(map(_one, words))
    if len({(budget.unit, budget.period) for budget in found}) != len(found):
        raise BudgetError("cannot use two budgets with the same unit and period: give one")
    return found


def budgets_text(budgets: Iterable[Budget]) -> str:
    """In the format of ``read_budgets``."""
    return ",".join(map(str, budgets))


def _one(word: str) -> Budget:
    form = _FORM.fullmatch(word)
    if form is None:
        raise BudgetError(
            f"cannot read the budget {word[:40]!r}: use for example 20usd/month, 2.5usd/day or 5Mtokens/week"
        )
    amount = float(form[1]) * _FACTORS[form[2]]
    if amount <= 0:
        raise BudgetError("cannot use a budget of 0: revoke the client instead, or use none for no budget")
    unit: Unit = "usd" if form[3] == "usd" else "tokens"
    return Budget(amount, unit, next(period for period in PERIODS if period == form[4]))


def moment(at: float) -> str:
    """A time for people, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
