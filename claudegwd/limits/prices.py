"""What tokens cost, learned from the costs that the CLI reports for answers. Pure.

Prices are needed before an answer's cost is reported, for reservations, and if it never is, for answers that broke off.
The CLI's prices have the same proportions for every model, so there is only one number per model to learn.
"""

from typing import Final

# What a token costs in tokens of plain input: Anthropic's prices of every model have these proportions.
_OUTPUT: Final = 5.0
_CACHED: Final = 0.1
_WRITTEN: Final = 1.25

# Clients can name a few dozen models.
MODELS_MAX: Final = 1000


class Prices:
    """US dollars per token of plain input, by model."""

    def __init__(self) -> None:
        self._of: dict[str, float] = {}

    def learn(self, model: str, weight: float, cost: float) -> None:
        """An answer with this weight had this cost."""
        if weight > 0 and cost > 0 and (model in self._of or len(self._of) < MODELS_MAX):
            self._of[model] = cost / weight

    def cost(self, model: str, weight: float) -> float | None:
        """The approximate cost; None if nothing is known about the model yet."""
        price = self._of.get(model)
        return None if price is None else price * weight


def weight(prompt: float, completion: float, cached: float = 0, written: float = 0) -> float:
    """The equivalent in tokens of plain input. ``prompt`` includes ``cached`` and ``written``."""
    return prompt - cached - written + cached * _CACHED + written * _WRITTEN + completion * _OUTPUT


def heaviest(prompt: float, completion: float) -> float:
    """The maximum weight of a request: all of its prompt is written to the cache."""
    return weight(prompt, completion, 0, prompt)
