"""What a request used, to the ledger: when it is over, and once more when the CLI tells the rest."""

from collections.abc import Callable
from dataclasses import replace

from claudegwd.ledger.entry import MODEL_CHARACTERS, Line, Sums
from claudegwd.translate.answer import Answer
from claudegwd.translate.outputs import TokenCount

Note = Callable[[Line, Sums], None]


class Booking:
    """One answer's entry. What it costs is told some milliseconds after its end; what an answer had used that nobody
    waited for, perhaps later still."""

    def __init__(self, note: Note, line: Line, answer: Answer, on_spent: Callable[[float], None]) -> None:
        self._note = note
        self._line = line._replace(answered=answer.model[:MODEL_CHARACTERS])
        self._answer = answer
        self._on_spent = on_spent
        self._told = TokenCount()
        self._cost: float | None = None
        self._unpriced = 0

    def begin(self, sums: Sums) -> None:
        """Note `sums`, what of the request is not the answer's alone, with what is known of the answer."""
        self._tell(sums)
        self._answer.on_used = self._more

    def _more(self) -> None:
        self._tell(Sums())

    def _tell(self, sums: Sums) -> None:
        more = self._with_more(sums)
        if more != Sums():
            self._note(self._line, more)

    def _with_more(self, sums: Sums) -> Sums:
        """Add what was told since the last time."""
        told, now, cost = self._told, self._answer.counted, self._answer.cost
        self._told = now
        spent = (cost or 0.0) - (self._cost or 0.0)
        unpriced = int(cost is None and bool(now.prompt or now.completion))
        more = replace(
            sums,
            prompt=now.prompt - told.prompt,
            completion=now.completion - told.completion,
            cached=now.cached - told.cached,
            written=now.written - told.written,
            reasoning=now.reasoning - told.reasoning,
            priced=int(cost is not None) - int(self._cost is not None),
            unpriced=unpriced - self._unpriced,
            cost=spent,
        )
        self._cost, self._unpriced = cost, unpriced
        if spent:
            self._on_spent(spent)
        return more
