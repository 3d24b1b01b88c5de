"""Records a request's usage in the ledger: when the request ends, and again when the CLI reports the rest."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from claudegwd.ledger.entry import Line, Sums
from claudegwd.limits.prices import weight
from claudegwd.limits.spending import Spending
from claudegwd.translate.answer.answer import Answer, ServerUses
from claudegwd.translate.answer.outputs import TokenCount
from claudegwd.translate.request.estimate import said_tokens

Note = Callable[[Line, Sums], None]

# Initial values, never modified: creating them here costs nothing per request.
_NO_TOKENS: Final = TokenCount()
_NO_USES: Final = ServerUses()


class Booking:
    """One answer's entry. Its cost arrives some milliseconds after its end, or even later if it was abandoned."""

    def __init__(
        self, note: Note, spending: Spending, line: Line, answer: Answer, on_spent: Callable[[float], None]
    ) -> None:
        self._note = note
        self._spending = spending
        self._charged = (0.0, 0)  # dollars and tokens, to the client's budgets
        self._line = line
        self._answer = answer
        self._on_spent = on_spent
        self._told = _NO_TOKENS
        self._cost: float | None = None
        self._used = _NO_USES
        self._unpriced = 0

    def begin(self, sums: Sums) -> None:
        """Record `sums`, the request's own figures, with what is known of the answer so far."""
        self._tell(sums)
        self._answer.on_used = self._more

    def _more(self) -> None:
        self._tell(Sums())

    def _tell(self, sums: Sums) -> None:
        if self._add_more(sums) or sums.requests:
            self._note(self._line, sums)
            self._charge()

    def _charge(self) -> None:
        """Add to what the client has spent. Its budgets need a figure in any case: an answer that broke off is counted
        as far as it was written, and one that the CLI has not priced is estimated from those that it has."""
        counted, cost, prices = self._answer.counted, self._answer.cost, self._spending.prices
        whole = self._answer.finished is not None
        completion = max(counted.completion, 0 if whole else said_tokens(self._answer))
        heavy = weight(counted.prompt, completion, counted.cached, counted.written)
        if whole and cost is not None:
            prices.learn(self._line.model, heavy, cost)
        if cost is None or not whole:
            cost = max(cost or 0.0, prices.cost(self._line.model, heavy) or 0.0)
        before, self._charged = self._charged, (cost, counted.prompt + completion)
        usd, tokens = self._charged[0] - before[0], self._charged[1] - before[1]
        self._spending.add(self._line.client, self._line.minute, usd, tokens)

    def _add_more(self, sums: Sums) -> bool:
        """Add what was reported since the last time. Returns whether anything was."""
        told, now, cost = self._told, self._answer.counted, self._answer.cost
        used = self._answer.used
        if now == told and cost == self._cost and used == self._used:
            return False
        self._told = now
        if used != self._used:
            sums.web_searches = used.web_searches - self._used.web_searches
            sums.web_fetches = used.web_fetches - self._used.web_fetches
            sums.code_executions = used.code_executions - self._used.code_executions
            self._used = replace(used)
        spent = (cost or 0.0) - (self._cost or 0.0)
        unpriced = int(cost is None and bool(now.prompt or now.completion))
        sums.prompt = now.prompt - told.prompt
        sums.completion = now.completion - told.completion
        sums.cached = now.cached - told.cached
        sums.written = now.written - told.written
        sums.reasoning = now.reasoning - told.reasoning
        sums.priced = int(cost is not None) - int(self._cost is not None)
        sums.unpriced = unpriced - self._unpriced
        sums.cost = spent
        self._cost, self._unpriced = cost, unpriced
        if spent:
            self._on_spent(spent)
        return True
