"""A borrowed worker."""

import math
from dataclasses import dataclass

from claudegwd.translate.request.plan import Plan
from claudegwd.workers.pool.choice import Way
from claudegwd.workers.worker.worker import Worker


@dataclass(slots=True, eq=False)
class Lease:
    """A borrowed worker: how it was obtained, and how many of the plan's entries it holds already."""

    worker: Worker
    way: Way
    held: int = 0
    plan: Plan | None = None
    # On trio's clock, set by the borrower. Past it, the sweep ends the worker, whatever the borrower does.
    until: float = math.inf
