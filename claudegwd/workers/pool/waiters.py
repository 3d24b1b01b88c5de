"""Requests waiting for a worker: a request joins the queue, and gets a worker in its turn."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from claudegwd.config.schema import LimitsConfig
from claudegwd.openai_api.errors import CliError, Overloaded, ShuttingDown
from claudegwd.translate.request.plan import Plan
from claudegwd.workers.pool.lease import Lease
from claudegwd.workers.pool.waiting import FairQueue
from claudegwd.workers.worker.states import WorkerState

# When to retry if the queue is full: spread out, or requests that came together would come back together.
FULL_SECONDS = (1.0, 4.0)


@dataclass(slots=True, eq=False)
class _Waiter:
    plan: Plan
    lease: Lease | None = None
    given: trio.Event = field(default_factory=trio.Event)  # or none will be given

    @property
    def has_living(self) -> bool:
        """Whether it was given a worker that is still alive."""
        return self.lease is not None and self.lease.worker.life.state is not WorkerState.CLOSING


class Waiters:
    """`take` lends a worker for a plan if there is one; `give_back` returns one that is not needed.

    `on_waited` is given the seconds of each wait. `draining` is true once no more requests are taken.
    """

    def __init__(
        self,
        take: Callable[[Plan], Lease | None],
        give_back: Callable[[Lease], None],
        limits: LimitsConfig,
        clock: Callable[[], float],
    ) -> None:
        self.on_waited: Callable[[float], None] = lambda _: None
        self.draining = False
        self._take = take
        self._give_back = give_back
        self._clock = clock
        self._queue: FairQueue[_Waiter] = FairQueue(limits.queue)
        self._seconds = limits.queue_seconds
        self._free = trio.Event()  # a worker may have become free

    def __len__(self) -> int:
        return len(self._queue)

    def configure(self, limits: LimitsConfig) -> None:
        """Apply new bounds at once."""
        self._queue.bound = limits.queue
        self._seconds = limits.queue_seconds

    def drain(self) -> None:
        """Take no new requests; waiting ones are refused."""
        self.draining = True
        while len(self._queue):
            self._queue.pop().given.set()

    def wake(self) -> None:
        """A worker may have become free."""
        self._free.set()

    async def in_turn(self, plan: Plan) -> Lease:
        """A worker, in turn. Raises Overloaded if the queue is full or the wait too long, and ShuttingDown."""
        if self._queue.full:
            again = random.uniform(*FULL_SECONDS)  # noqa: S311 - jitter, not a secret
            raise Overloaded("cannot accept the request: the queue is full; try again in a moment", retry_after=again)
        waiter = _Waiter(plan)
        self._queue.put(plan.client, waiter)
        began = self._clock()
        try:
            with trio.move_on_after(self._seconds):
                await self._given(waiter)
        except trio.Cancelled:
            if waiter.lease is not None:
                self._give_back(waiter.lease)
            raise
        finally:
            self._queue.discard(plan.client, waiter)
            self.on_waited(self._clock() - began)
        if waiter.lease is not None:
            return waiter.lease
        self.refuse_while_draining()
        raise Overloaded("cannot accept the request: all workers are busy; try again in a moment", retry_after=2.0)

    def refuse_while_draining(self) -> None:
        """Raises ShuttingDown."""
        if self.draining:
            raise ShuttingDown("cannot accept the request: the gateway is shutting down; try again in a moment")

    async def _given(self, waiter: _Waiter) -> None:
        """Wait until it has a worker. If that dies before the borrower wakes, it goes back to the head of the queue."""
        while not waiter.has_living and not self.draining:
            if waiter.lease is not None:
                self._give_back(waiter.lease)
                waiter.lease, waiter.given = None, trio.Event()
                self._queue.put_first(waiter.plan.client, waiter)
            self._free.set()
            await waiter.given.wait()

    async def serve(self) -> None:
        """Give workers to the waiting requests, in turn, whenever one may be free. Until cancelled."""
        while True:
            await self._free.wait()
            self._free = trio.Event()
            while not self.draining and (waiter := self._queue.head()) is not None:
                try:
                    lease = self._take(waiter.plan)
                except CliError:
                    break  # a failed start: it keeps its place until the sweep tries again
                if lease is None:
                    break
                self._queue.pop()
                waiter.lease = lease
                waiter.given.set()
