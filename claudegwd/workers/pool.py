"""The pool: lends a worker to each question, by the way that costs least, and keeps what can be used again."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from claudegwd.config.schema import LimitsConfig, WorkersConfig
from claudegwd.openai_api.errors import CliError, Overloaded, ShuttingDown
from claudegwd.translate.history import canonical_answer, chain
from claudegwd.translate.plan import Plan
from claudegwd.translate.signatures import Signatures
from claudegwd.translate.turn import After
from claudegwd.workers.conversations import Conversations, fits_idle, fits_parked
from claudegwd.workers.memory import is_short, rss_bytes
from claudegwd.workers.process import Launch
from claudegwd.workers.roster import Roster
from claudegwd.workers.spares import Spares
from claudegwd.workers.states import WorkerEvent, WorkerState
from claudegwd.workers.waiting import FairQueue
from claudegwd.workers.worker import Worker

# After the answer the CLI takes about 5 ms to write its `result`; a worker that has not done so by then is given up.
SETTLE_SECONDS = 5.0

# A recycled process grows by about 1 MB a use (200 to 254 MB in 50, observed). A new one costs half a second of
# processor time: at 50 uses that was a seventh of all that two cores did for short requests.
MAX_RECYCLES = 200
MAX_RECYCLE_RSS_BYTES = 400 * 1024 * 1024

# When whoever finds the queue full is told to come back: spread, or all that came at once would come at once again.
FULL_SECONDS = (1.0, 4.0)

# The longest silence inside an answer that is taken for work: a model that thinks without showing it. The upstream's
# own pings come every few seconds.
BETWEEN_EVENTS_SECONDS = 180.0

SWEEP_SECONDS = 1.0  # how often idle times, silences and memory are looked at
ALIVE_SECONDS = 10.0  # a sweep that is so late is stuck


@dataclass(slots=True, eq=False)
class Lease:
    """A borrowed worker. `how` it was had, and how many of the plan's entries it holds already."""

    worker: Worker
    how: str
    held: int = 0
    plan: Plan | None = None
    until: float = math.inf  # on the pool's clock; past it the sweep ends the worker, whatever the borrower does


@dataclass(slots=True, eq=False)
class _Waiter:
    plan: Plan
    lease: Lease | None = None
    given: trio.Event = field(default_factory=trio.Event)


class Pool:
    """Run it in a nursery; then `acquire`. All methods belong to one trio thread."""

    def __init__(
        self, launch: Callable[[], Launch], workers: WorkersConfig, limits: LimitsConfig, clock: Callable[[], float]
    ) -> None:
        self.workers_config = workers
        self.limits = limits
        self.had: dict[str, int] = {}  # how workers were had, counted
        self.on_waited: Callable[[float], None] = lambda _: None  # seconds that a request was in the queue
        self.roster = Roster(launch, clock, self._on_hired, self._on_gone)
        self.spares = Spares(self.roster, lambda: self.workers_config, clock)
        self._clock = clock
        self._leases: dict[Worker, Lease] = {}
        self._conversations = Conversations()
        self.signatures = Signatures()
        self._queue: FairQueue[_Waiter] = FairQueue(limits.queue)
        self._draining = False
        self._serving = False
        self._swept_at = clock()

    # -- life ---------------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the workers until cancelled; on the way out every process is ended and reaped."""
        async with trio.open_nursery() as nursery:
            self.roster.open(nursery)
            nursery.start_soon(self.spares.run)
            nursery.start_soon(self._sweep)
            task_status.started()
            await trio.sleep_forever()

    def configure(self, workers: WorkersConfig, limits: LimitsConfig) -> None:
        """Take new settings at once; workers over a lowered bound go as they become free."""
        self.workers_config = workers
        self.limits = limits
        self._queue.bound = limits.queue
        self.spares.look()

    def renew(self) -> None:
        """Give up every worker that is not in use: the way they are started has changed."""
        for worker in self.roster.in_state(WorkerState.STARTING, WorkerState.SPARE, WorkerState.IDLE):
            worker.close()
        self.spares.look()

    def drain(self) -> None:
        """Take no new requests; who waits is told."""
        self._draining = True
        self.spares.stop()
        while len(self._queue):
            self._queue.pop().given.set()

    def is_alive(self) -> bool:
        """For the watchdog: whether the pool's own loop turns (it is looked at from the same event loop)."""
        return self._clock() - self._swept_at < ALIVE_SECONDS

    @property
    def queued(self) -> int:
        """How many requests wait for a worker."""
        return len(self._queue)

    def counts(self) -> dict[str, int]:
        """Workers by state."""
        return self.roster.counts()

    def describe(self) -> list[dict[str, Any]]:
        """A dict for each worker: nothing of its conversation."""
        return self.roster.describe()

    # -- borrowing ----------------------------------------------------------------------------------------------------

    async def acquire(self, plan: Plan, *, fresh: bool = False) -> Lease:
        """A worker for this plan: the one that holds its conversation, a recycled one, a spare, or a new process.

        `fresh` asks for one without a conversation. Waits in the queue while all are busy. Raises Overloaded when the
        queue is full or the wait too long, ShuttingDown while draining, CliError while the CLI does not start.
        """
        if self._draining:
            raise _shutting_down()
        if self.roster.starts.hopeless(self._clock()):
            raise CliError(
                "cannot answer: the Claude Code CLI does not start; the operator can run `claudegwctl doctor`"
            )
        lease = None if fresh else await self._find(plan)
        if lease is None and not len(self._queue):
            lease = self._take(plan)
        return self._lend(lease or await self._wait(plan), plan)

    def key_of(self, plan: Plan) -> str | None:
        """The name of the key under which this plan's conversation ran so far: its prompt cache is there."""
        found = self._conversations.find(plan)
        return found[0].key if found else None

    def give_back(self, lease: Lease) -> None:
        """The borrower is done. A worker whose answer is complete stays; one in mid-turn is ended at once."""
        worker = lease.worker
        if self._leases.get(worker) is lease:
            del self._leases[worker]
            if worker.state is WorkerState.BUSY and worker.answer.finished is None:
                worker.close(now=True)

    async def _find(self, plan: Plan) -> Lease | None:
        found = self._conversations.find(plan)
        if found is None:
            return None
        worker, held = found
        if worker.is_settling:
            with trio.move_on_after(SETTLE_SECONDS):
                await worker.settled.wait()
        if fits_parked(worker, plan, held):
            return Lease(worker, "parked", held)
        if fits_idle(worker, plan, held):
            return Lease(worker, "continued", held)
        if worker.state is WorkerState.PARKED:
            worker.close(now=True)  # its calls are answered by replay on another worker: nobody will come for it
        return None

    def _lend(self, lease: Lease, plan: Plan) -> Lease:
        worker = lease.worker
        if worker.state is not WorkerState.BUSY:
            worker.change(WorkerEvent.TAKEN)
        self._conversations.drop(worker)
        lease.plan = plan
        lease.until = self._clock() + self.limits.request_seconds
        worker.lend_to(plan.client, plan.base)
        self._leases[worker] = lease
        if lease.how in ("spare", "cold"):
            self.spares.look()
        self.had[lease.how] = self.had.get(lease.how, 0) + 1
        return lease

    def _take(self, plan: Plan) -> Lease | None:
        """A worker without this conversation, or None if all are busy. Does not wait."""
        if self.workers_config.recycle:
            worker = self._recyclable(plan)
            if worker is not None:
                return Lease(worker, "recycled")
        for state, how in ((WorkerState.SPARE, "spare"), (WorkerState.STARTING, "cold")):
            for worker in self.roster.in_state(state):
                return Lease(worker, how)
        if self.roster.living() >= self.workers_config.max and not self.roster.give_up_one():
            return None
        return Lease(self.roster.hire(), "cold")

    def _recyclable(self, plan: Plan) -> Worker | None:
        """An idle worker of the same client, system prompt and tools: what `initialize` fixed stays."""
        for worker in self.roster.in_state(WorkerState.IDLE):
            if worker.base == plan.base and worker.uses <= MAX_RECYCLES:
                if rss_bytes(worker.process.pid) <= MAX_RECYCLE_RSS_BYTES:
                    return worker
                worker.close()
        return None

    # -- waiting ------------------------------------------------------------------------------------------------------

    async def _wait(self, plan: Plan) -> Lease:
        if self._queue.full:
            again = random.uniform(*FULL_SECONDS)  # noqa: S311 - jitter, not a secret
            raise Overloaded("cannot take a request: the queue is full; ask again in a moment", retry_after=again)
        waiter = _Waiter(plan)
        self._queue.put(plan.client, waiter)
        began = self._clock()
        try:
            with trio.move_on_after(self.limits.queue_seconds):
                await waiter.given.wait()
        except trio.Cancelled:
            if waiter.lease is not None:
                waiter.lease.worker.close()
            raise
        finally:
            self._queue.discard(plan.client, waiter)
            self.on_waited(self._clock() - began)
        if waiter.lease is not None:
            return waiter.lease
        if self._draining:
            raise _shutting_down()
        raise Overloaded("cannot take a request: all workers are busy; ask again in a moment", retry_after=2.0)

    def _serve_waiters(self) -> None:
        """Give workers to who waits, in turn, while there are any to give."""
        if self._serving or self._draining:
            return  # taking a worker may close another, which calls here again
        self._serving = True
        try:
            while (waiter := self._queue.head()) is not None and (lease := self._take(waiter.plan)) is not None:
                self._queue.pop()
                lease.worker.change(WorkerEvent.TAKEN)  # now: the next waiter must not be given the same
                self._conversations.drop(lease.worker)
                waiter.lease = lease
                waiter.given.set()
        finally:
            self._serving = False

    # -- what workers report ------------------------------------------------------------------------------------------

    def _on_hired(self, worker: Worker) -> None:
        worker.on_change = self._on_change
        worker.on_answer = self._on_answer
        worker.on_settled = self._on_settled

    def _on_gone(self, worker: Worker) -> None:
        self._leases.pop(worker, None)
        self._conversations.drop(worker)
        self.spares.look()
        self._serve_waiters()

    def _on_change(self, worker: Worker) -> None:
        if worker.state is WorkerState.SPARE:
            self.roster.starts.succeeded()
        if worker.state is WorkerState.CLOSING:
            self._conversations.drop(worker)
            self.spares.look()
        self._serve_waiters()

    def _on_answer(self, worker: Worker) -> None:
        """The answer is complete: file the conversation under its digest before the client can come back for it."""
        worker.used_at = self._clock()
        self.roster.starts.succeeded()
        lease = self._leases.get(worker)
        finished = worker.answer.finished
        if finished is None or lease is None or lease.plan is None:
            return
        if not lease.plan.is_prefill:
            calls = [(call.id, call.name, call.arguments) for call in worker.answer.calls]
            digest = chain(lease.plan.entries[-1].digest, canonical_answer(worker.answer.text, calls))
            self.signatures.remember(digest, worker.answer.model, finished)
            if finished.after is not After.KILL:
                self._conversations.put(worker, digest)
        if finished.after is After.PARK:
            worker.change(WorkerEvent.CALLED)

    def _on_settled(self, worker: Worker) -> None:
        finished = worker.answer.finished
        if worker.state is not WorkerState.BUSY or finished is None or finished.after is not After.KEEP:
            return
        if worker.digest is None:
            worker.close()  # a conversation that cannot be found again
        else:
            worker.change(WorkerEvent.SETTLED)

    # -- what time brings ---------------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        while True:
            await trio.sleep(SWEEP_SECONDS)
            self._swept_at = self._clock()
            self.roster.end_stuck_rehearsals()
            self._end_unused()
            self._end_late()
            while self.roster.living() > self.workers_config.max and self.roster.give_up_one():
                pass
            if is_short():
                self.roster.give_up_one()

    def _end_unused(self) -> None:
        config = self.workers_config
        bounds = {WorkerState.IDLE: config.idle_seconds, WorkerState.PARKED: config.parked_seconds}
        for worker in self.roster:
            stuck = worker.is_settling and worker.silent_for() > SETTLE_SECONDS
            if stuck or self._swept_at - worker.used_at > bounds.get(worker.state, math.inf):
                worker.close(now=stuck or worker.state is WorkerState.PARKED)

    def _end_late(self) -> None:
        for worker, lease in list(self._leases.items()):
            if not worker.is_answering:
                continue
            if self._swept_at > lease.until or worker.silent_for() > BETWEEN_EVENTS_SECONDS:
                worker.time_out()
            else:
                worker.tell_silence()


def _shutting_down() -> ShuttingDown:
    return ShuttingDown("cannot take a request: the gateway is shutting down; ask again in a moment")
