"""What clients have spent in the current day, week and month, and what their running requests may still spend. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from claudegwd.limits.budget import PERIODS, WARN_FROM, Budget, BudgetReached, Period, Unit, moment, start_of
from claudegwd.limits.elsewhere import Elsewhere, MachineSpent, Sum
from claudegwd.limits.prices import Prices, heaviest
from claudegwd.openai_api.errors import RateLimitExceeded

# The current one and the one before it, in case the clock is set back.
STARTS_KEPT: Final = 2
# Sums of dollars have rounding errors; less than this is nothing.
ROUNDING: Final = 1e-9

# Nobody knows when a running request ends; one second keeps clients from hammering.
BUSY_RETRY_SECONDS: Final = 1.0
# An unreachable store is retried every few seconds.
AWAY_RETRY_SECONDS: Final = 5.0

_DAY_SECONDS: Final = 86_400.0

Window = tuple[Period, float]  # with its start


@dataclass(slots=True)
class Spent:
    """What one client has spent in one window."""

    usd: float = 0.0
    tokens: float = 0.0

    def of(self, unit: Unit) -> float:
        return self.usd if unit == "usd" else self.tokens


@dataclass(slots=True)
class Reservation:
    """What one request may spend. Always ``end`` it; may be called twice."""

    held: list[tuple[Spent, Spent]] = field(default_factory=list)  # the client's sum, and this request's part of it
    on_end: Callable[[], None] = lambda: None

    def end(self) -> None:
        """The request is over: what it spent has been added, and the rest is free again."""
        for whole, part in self.held:
            whole.usd -= part.usd
            whole.tokens -= part.tokens
        if self.held:
            self.held.clear()
            self.on_end()


class Spending:
    """All clients' sums. ``budgets_of``: a client's budgets, by its name.

    ``on_reached`` is called once for each budget and window, when an answer reaches it: client, budget, reset.
    ``elsewhere``: what other machines report. ``share``: how much of what is left may be spent here now. ``on_spent``
    is called with each client whose own sums or reservations have changed.
    """

    def __init__(self) -> None:
        self.prices = Prices()
        self.budgets_of: Callable[[str], Sequence[Budget]] = lambda _: ()
        self.on_reached: Callable[[str, Budget, float], None] = lambda *_: None
        self.elsewhere = Elsewhere()
        self.share: Callable[[], float] = lambda: 1.0
        self.on_spent: Callable[[str], None] = lambda _client: None
        self._spent: dict[Window, dict[str, Spent]] = {}
        self._reserved: dict[str, Spent] = {}
        self._latest: tuple[float, Sequence[dict[str, Spent]]] = (0.0, ())  # a day's start, and its windows
        self._told: set[tuple[str, Budget, float]] = set()
        # While only a share may be spent: the start of the budget's window, what had been spent here, and the share.
        self._granted: dict[tuple[str, Budget], tuple[float, float, float]] = {}

    def load(self, period: Period, start: float, sums: Iterable[tuple[str, float, float]]) -> None:
        """What was spent before the start: client, dollars, tokens."""
        self._spent[period, start] = {client: Spent(usd, tokens) for client, usd, tokens in sums}
        self._latest = (0.0, ())

    def add(self, client: str, at: float, usd: float, tokens: float) -> None:
        """Add what was spent at that time; negative: it turned out to be less."""
        windows = self._windows_of(at)
        for window in windows:
            spent = window.get(client)
            if spent is None:
                spent = window[client] = Spent()
            spent.usd += usd
            spent.tokens += tokens
        for budget in self.budgets_of(client):
            used = windows[PERIODS.index(budget.period)][client].of(budget.unit)
            if self.elsewhere.knows(client):  # computing a window's start takes longest
                used = self.spent(client, budget, at)
            if budget.amount - used <= ROUNDING:
                self._tell_reached(client, budget, budget.reset(at), at)
        self.on_spent(client)

    def spent(self, client: str, budget: Budget, now: float) -> float:
        """What is spent of this budget, in its current window, on all machines."""
        elsewhere = self.elsewhere.spent(client, budget.period, budget.start(now), budget.unit)
        return self._spent_here(client, budget, now) + elsewhere

    def _spent_here(self, client: str, budget: Budget, now: float) -> float:
        found = self._window(budget.period, budget.start(now)).get(client)
        return found.of(budget.unit) if found is not None else 0.0

    def said(self, client: str, now: float) -> MachineSpent:
        """For the other machines: what was spent here, and what running requests may still spend."""
        sums: dict[Period, Sum] = {}
        for period in PERIODS:
            start = start_of(period, now)
            found = self._window(period, start).get(client, Spent())
            sums[period] = Sum(start, found.usd, found.tokens)
        held = self._reserved.get(client, Spent())
        return MachineSpent(now, sums, held.usd, held.tokens)

    def holding(self) -> list[str]:
        """The clients with running requests that may still spend."""
        return [client for client, held in self._reserved.items() if max(held.usd, held.tokens) > ROUNDING]

    def raise_to(self, client: str, said: MachineSpent, now: float) -> None:
        """This machine reported this before a restart, so it was no less, whatever its state file says."""
        for period, one in said.sums.items():
            if one.start == start_of(period, now):
                spent = self._window(period, one.start).setdefault(client, Spent())
                spent.usd, spent.tokens = max(spent.usd, one.usd), max(spent.tokens, one.tokens)

    def _left(self, client: str, budget: Budget, now: float) -> float:
        """What of a budget may still be spent here."""
        left, share = budget.amount - self.spent(client, budget, now), self.share()
        if share == 1.0:
            self._granted.clear()
            return left
        here = self._spent_here(client, budget, now)
        place, start = (client, budget), budget.start(now)
        if place not in self._granted or self._granted[place][0] != start:
            self._granted[place] = (start, here, left * share)
        _, before, granted = self._granted[place]
        return min(left, granted - (here - before))

    def reserve(
        self, client: str, budgets: Sequence[Budget], model: str, prompt: int, answer: int, now: float
    ) -> Reservation:
        """Reserve what a request may spend: at most ``prompt`` and ``answer`` tokens, or all that is left.

        Raises BudgetReached, or RateLimitExceeded while running requests hold what is left. So concurrent requests
        exceed a budget by at most one answer.
        """
        reservation = Reservation()
        if not budgets:
            return reservation
        part = Spent()
        held = self._reserved.get(client, Spent())
        for budget in budgets:
            left = self._left(client, budget, now)
            if left <= ROUNDING:
                raise self._reached(client, budget, now)
            free = left - held.of(budget.unit) - self.elsewhere.held(client, budget.unit, now)
            if free <= ROUNDING:
                raise RateLimitExceeded(
                    f"cannot accept this request now: the rest of this client's budget of {budget} is reserved for "
                    "its running requests; wait for one to finish",
                    retry_after=BUSY_RETRY_SECONDS,
                )
            if budget.unit == "tokens":
                part.tokens = max(part.tokens, min(free, prompt + answer))
            else:
                most = self.prices.cost(model, heaviest(prompt, answer))
                part.usd = max(part.usd, free if most is None else min(free, most))
        whole = self._reserved.setdefault(client, Spent())
        whole.usd += part.usd
        whole.tokens += part.tokens
        reservation.held.append((whole, part))
        reservation.on_end = partial(self.on_spent, client)
        self.on_spent(client)
        return reservation

    def warning(self, client: str, budgets: Sequence[Budget], now: float) -> str:
        """For the header of an answer: the budget with the largest share used, if that is much; else ""."""
        shares = [(self.spent(client, budget, now) / budget.amount, budget) for budget in budgets]
        share, budget = max(shares, key=lambda pair: pair[0], default=(0.0, None))
        if budget is None or share < WARN_FROM:
            return ""
        return f"{share:.0%} of {budget} used; resets {moment(budget.reset(now))}"

    def _reached(self, client: str, budget: Budget, now: float) -> RateLimitExceeded:
        if budget.amount - self.spent(client, budget, now) > ROUNDING:
            return RateLimitExceeded(
                "cannot accept this request now: other machines may be using the rest of this client's budget of "
                f"{budget}, and the shared store is unavailable; try again when it is back",
                retry_after=AWAY_RETRY_SECONDS,
            )
        reset = budget.reset(now)
        self._tell_reached(client, budget, reset, now)  # unnoticed so far if the budget was lowered meanwhile
        return BudgetReached(
            f"cannot accept this request: this client's budget of {budget} is used up; it resets at {moment(reset)}, "
            "or ask the operator for more",
            retry_after=max(1.0, reset - now),
        )

    def _tell_reached(self, client: str, budget: Budget, reset: float, now: float) -> None:
        if (client, budget, reset) not in self._told:
            # Drop those of past windows.
            self._told = {told for told in self._told if told[2] > now} | {(client, budget, reset)}
            self.on_reached(client, budget, reset)

    def _windows_of(self, at: float) -> Sequence[dict[str, Spent]]:
        """The day, week and month of a moment; looked up again only on another day, as that costs some 10 us."""
        day, windows = self._latest
        if not day <= at < day + _DAY_SECONDS:
            windows = [self._window(period, start_of(period, at)) for period in PERIODS]
            self._latest = (start_of("day", at), windows)
        return windows

    def _window(self, period: Period, start: float) -> dict[str, Spent]:
        window = self._spent.get((period, start))
        if window is None:
            window = self._spent[period, start] = {}
            begun = sorted(begin for name, begin in self._spent if name == period)
            for old in begun[:-STARTS_KEPT]:
                del self._spent[period, old]
                self._latest = (0.0, ())
        return window
