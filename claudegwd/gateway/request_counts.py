"""Counts of running and finished requests of any kind, for the status and the metrics."""

from collections import Counter
from collections.abc import Callable

from claudegwd.openai_api.errors import GatewayError
from claudegwd.workers.question.running_request import RunningRequest


class RequestCounts:
    """`active`: running now; `total`: since the start; `failed`: answers that were errors, by code.

    `running`: active ones that ask a model. `sockets`: open WebSockets, by owner.
    """

    def __init__(self) -> None:
        self.active = 0
        self.total = 0
        self.failed: Counter[str] = Counter()
        self.running: set[RunningRequest] = set()
        self.sockets: Counter[str] = Counter()

    def begin(self) -> Callable[[], None]:
        """Count a request; call the returned function when it ends."""
        self.total += 1
        self.active += 1

        def end() -> None:
            self.active -= 1

        return end

    def refused(self, error: GatewayError) -> None:
        """Count an answer that is an error."""
        self.failed[error.code or "error"] += 1
