"""The pool: owner of every worker, from the start of its process until it is reaped."""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from claudegwd.config.schema import LimitsConfig, WorkersConfig
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.openai_api.errors import CliError, Overloaded, ShuttingDown
from claudegwd.translate.history import canonical_answer, chain
from claudegwd.translate.plan import Plan
from claudegwd.translate.turn import After
from claudegwd.workers.conversations import Conversations, fits_idle, fits_parked
from claudegwd.workers.memory import is_short, rss_bytes
from claudegwd.workers.process import Launch
from claudegwd.workers.scratch import remove
from claudegwd.workers.states import WorkerEvent, WorkerState
from claudegwd.workers.waiting import FairQueue
from claudegwd.workers.worker import Worker

# After the answer the CLI takes about 5 ms to write its `result`; a worker that has not done so by then is given up.
SETTLE_SECONDS = 5.0

# How long refilling the spares stands back for requests that wait for their first token: then it goes on all the same,
# or a busy gateway would never have a spare again.
REFILL_PATIENCE_SECONDS = 2.0

# Starts that fail in a row: the pause before the next doubles from the first to the last.
BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_LAST_SECONDS = 30.0

# A recycled process grows by about 1 MB a use (200 to 254 MB in 50, observed).
MAX_RECYCLES = 50
MAX_RECYCLE_RSS_BYTES = 400 * 1024 * 1024

# The longest silence inside an answer that is taken for work: a model that thinks without showing it. The upstream's
# own pings come every few seconds.
BETWEEN_EVENTS_SECONDS = 180.0

SWEEP_SECONDS = 1.0  # how often idle times and memory are looked at
ALIVE_SECONDS = 10.0  # a sweep that is so late is stuck


@dataclass(slots=True, eq=False)
class Lease:
    """A borrowed worker. `how` it was had, and how many of the plan's entries it holds already."""

    worker: Worker
    how: str
    held: int = 0
    plan: Plan | None = None
    until: float = math.inf  # on the pool's clock; past it the sweep ends the worker, whatever the borrower does
    waited: float = 0.0  # seconds in the queue


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
        self.starts_failed = 0  # in a row
        self.exits: dict[str, int] = {}  # how processes ended, counted
        self.had: dict[str, int] = {}  # how workers were had, counted
        self.orphans = 0  # processes that had left others behind
        self.on_waited: Callable[[float], None] = lambda _: None  # seconds that a request was in the queue
        self._launch = launch
        self._clock = clock
        self._workers: set[Worker] = set()
        self._leases: dict[Worker, Lease] = {}
        self._conversations = Conversations()
        self._queue: FairQueue[_Waiter] = FairQueue(limits.queue)
        self._before_first_token = 0
        self._quiet = trio.Event()
        self._refill = trio.Event()
        self._nursery: trio.Nursery | None = None
        self._draining = False
        self._serving = False
        self._swept_at = clock()

    # -- life ---------------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the workers until cancelled; on the way out every process is ended and reaped."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._keep_spares)
            nursery.start_soon(self._sweep)
            self._refill.set()
            task_status.started()
            await trio.sleep_forever()

    def configure(self, workers: WorkersConfig, limits: LimitsConfig) -> None:
        """Take new settings at once; workers over a lowered bound go as they become free."""
        self.workers_config = workers
        self.limits = limits
        self._queue.bound = limits.queue
        self._refill.set()

    def renew(self) -> None:
        """Give up every worker that is not in use: the way they are started has changed."""
        for worker in list(self._workers):
            if worker.state in (WorkerState.STARTING, WorkerState.SPARE, WorkerState.IDLE):
                worker.close()
        self._refill.set()

    def drain(self) -> None:
        """Take no new requests; who waits is told."""
        self._draining = True
        while len(self._queue):
            self._queue.pop().given.set()

    # -- borrowing ----------------------------------------------------------------------------------------------------

    async def acquire(self, plan: Plan, *, fresh: bool = False) -> Lease:
        """A worker for this plan: the one that holds its conversation, a recycled one, a spare, or a new process.

        `fresh` asks for one without a conversation. Waits in the queue while all are busy. Raises Overloaded when the
        queue is full or the wait too long, ShuttingDown while draining.
        """
        if self._draining:
            raise ShuttingDown("cannot take a request: the gateway is shutting down; ask again in a moment")
        self._check_start()
        if not fresh:
            lease = await self._find(plan)
            if lease is not None:
                return self._lend(lease, plan)
        lease = None if len(self._queue) else self._take(plan)
        if lease is None:
            lease = await self._wait(plan)
        return self._lend(lease, plan)

    def key_of(self, plan: Plan) -> str | None:
        """The name of the key under which this plan's conversation ran so far: its prompt cache is there."""
        found = self._conversations.find(plan)
        return found[0].key if found else None

    @contextmanager
    def waiting_for_first_token(self) -> Iterator[None]:
        """While any request is inside, spares are not refilled: their start would slow its first token."""
        self._before_first_token += 1
        try:
            yield
        finally:
            self._before_first_token -= 1
            if self._before_first_token == 0:
                self._quiet.set()

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
        worker.client = plan.client
        worker.base = plan.base
        worker.uses += 1
        self._leases[worker] = lease
        if lease.how in ("spare", "cold"):
            self._refill.set()
        self.had[lease.how] = self.had.get(lease.how, 0) + 1
        return lease

    def _take(self, plan: Plan) -> Lease | None:
        """A worker without this conversation, or None if all are busy. Does not wait."""
        if self.workers_config.recycle:
            worker = self._recyclable(plan)
            if worker is not None:
                return Lease(worker, "recycled")
        for state, how in ((WorkerState.SPARE, "spare"), (WorkerState.STARTING, "cold")):
            for worker in self._workers:
                if worker.state is state:
                    return Lease(worker, how)
        if self._living() >= self.workers_config.max and not self._evict():
            return None
        return Lease(self._start(), "cold")

    async def _wait(self, plan: Plan) -> Lease:
        if self._queue.full:
            raise Overloaded("cannot take a request: the queue is full; ask again in a moment", retry_after=1.0)
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
            waiter.lease.waited = self._clock() - began
            return waiter.lease
        if self._draining:
            raise ShuttingDown("cannot take a request: the gateway is shutting down; ask again in a moment")
        raise Overloaded("cannot take a request: all workers are busy; ask again in a moment", retry_after=2.0)

    def _serve_waiters(self) -> None:
        if self._serving:
            return  # taking a worker may close another, which calls here again
        self._serving = True
        try:
            self._serve_in_turn()
        finally:
            self._serving = False

    def _serve_in_turn(self) -> None:
        while (waiter := self._queue.head()) is not None:
            lease = self._take(waiter.plan)
            if lease is None:
                return
            self._queue.pop()
            lease.worker.change(WorkerEvent.TAKEN)  # now: the next waiter must not be given the same
            self._conversations.drop(lease.worker)
            waiter.lease = lease
            waiter.given.set()

    def _recyclable(self, plan: Plan) -> Worker | None:
        """An idle worker of the same client, system prompt and tools: what `initialize` fixed stays."""
        for worker in sorted(self._workers, key=lambda worker: worker.used_at):
            if worker.state is WorkerState.IDLE and worker.base == plan.base and worker.uses <= MAX_RECYCLES:
                if rss_bytes(worker.process.pid) <= MAX_RECYCLE_RSS_BYTES:
                    return worker
                worker.close()
        return None

    def _evict(self) -> bool:
        """Give up the idle worker, else the parked one, that was used longest ago."""
        for state in (WorkerState.IDLE, WorkerState.PARKED):
            candidates = [worker for worker in self._workers if worker.state is state]
            if candidates:
                min(candidates, key=lambda worker: worker.used_at).close(now=state is WorkerState.PARKED)
                return True
        return False

    # -- workers come and go ------------------------------------------------------------------------------------------

    def _start(self) -> Worker:
        if self._nursery is None:
            raise CliError("cannot start a worker: the pool does not run")
        worker = Worker(self._launch(), self._clock)
        worker.on_change = self._on_change
        worker.on_answer = self._on_answer
        worker.on_settled = self._on_settled
        self._workers.add(worker)
        self._nursery.start_soon(self._own, worker)
        return worker

    async def _own(self, worker: Worker) -> None:
        try:
            await worker.run()
        finally:
            self._workers.discard(worker)
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(remove, worker.launch.cwd)
            self._leases.pop(worker, None)
            self._conversations.drop(worker)
            self._note_exit(worker)
            self._serve_waiters_soon()

    def _note_exit(self, worker: Worker) -> None:
        fault = worker.process.fault
        unprepared = worker.failed_to_start and not self._draining
        self.starts_failed += unprepared
        kind = "fault" if fault else "start" if unprepared else "ended"
        self.exits[kind] = self.exits.get(kind, 0) + 1
        self.orphans += worker.process.left_others
        if fault or unprepared:
            log_event(
                log,
                logging.WARNING,
                "a CLI process failed",
                pid=worker.process.pid,
                status=worker.process.exit_status,
                reason=fault,
            )

    def _on_change(self, worker: Worker) -> None:
        if worker.state is WorkerState.SPARE:
            self.starts_failed = 0
        if worker.state is WorkerState.CLOSING:
            self._conversations.drop(worker)
            self._refill.set()
        self._serve_waiters_soon()

    def _on_answer(self, worker: Worker) -> None:
        """The answer is complete: file the conversation under its digest before the client can come back for it."""
        worker.used_at = self._clock()
        lease = self._leases.get(worker)
        finished = worker.answer.finished
        if finished is None or finished.after is After.KILL or lease is None or lease.plan is None:
            return
        calls = [(call.id, call.name, call.arguments) for call in worker.answer.calls]
        if not lease.plan.is_prefill:
            digest = chain(lease.plan.entries[-1].digest, canonical_answer(worker.answer.text, calls))
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

    def _serve_waiters_soon(self) -> None:
        if not self._draining and self._nursery is not None and len(self._queue):
            self._serve_waiters()

    async def _keep_spares(self) -> None:
        while True:
            await self._refill.wait()
            self._refill = trio.Event()
            while not self._draining and self._wants_spare():
                await self._stand_back()
                if self._wants_spare():
                    self._start()

    def _wants_spare(self) -> bool:
        unused = sum(1 for worker in self._workers if worker.state in (WorkerState.STARTING, WorkerState.SPARE))
        return unused < self.workers_config.spares and self._living() < self.workers_config.max

    async def _stand_back(self) -> None:
        if self.starts_failed:
            pause = BACKOFF_FIRST_SECONDS * 2 ** min(self.starts_failed - 1, 10)
            await trio.sleep(min(pause, BACKOFF_LAST_SECONDS))
        if self._before_first_token:
            self._quiet = trio.Event()
            with trio.move_on_after(REFILL_PATIENCE_SECONDS):
                await self._quiet.wait()

    async def _sweep(self) -> None:
        while True:
            await trio.sleep(SWEEP_SECONDS)
            now = self._swept_at = self._clock()
            config = self.workers_config
            bounds = {WorkerState.IDLE: config.idle_seconds, WorkerState.PARKED: config.parked_seconds}
            for worker in list(self._workers):
                stuck = worker.is_settling and worker.silent_for() > SETTLE_SECONDS
                if stuck or now - worker.used_at > bounds.get(worker.state, math.inf):
                    worker.close(now=stuck or worker.state is WorkerState.PARKED)
            for worker, lease in list(self._leases.items()):
                if worker.is_answering:
                    if now > lease.until or worker.silent_for() > BETWEEN_EVENTS_SECONDS:
                        worker.time_out()
                    else:
                        worker.tell_silence()
            while self._living() > config.max and self._evict():
                pass
            if is_short():
                self._evict()

    def _living(self) -> int:
        return sum(1 for worker in self._workers if worker.state is not WorkerState.CLOSING)

    # -- for status and metrics ---------------------------------------------------------------------------------------

    def is_alive(self) -> bool:
        """For the watchdog: whether the pool's own loop turns (it is looked at from the same event loop)."""
        return self._clock() - self._swept_at < ALIVE_SECONDS

    @property
    def queued(self) -> int:
        return len(self._queue)

    def counts(self) -> dict[str, int]:
        """Workers by state."""
        counts = {state.value: 0 for state in WorkerState}
        for worker in self._workers:
            counts[worker.state.value] += 1
        return counts

    def describe(self) -> list[dict[str, Any]]:
        """A dict for each worker: nothing of its conversation."""
        now = self._clock()
        return [
            {
                "number": worker.number,
                "pid": worker.process.pid,
                "state": worker.state.value,
                "client": worker.client,
                "key": worker.key,
                "uses": worker.uses,
                "age_seconds": round(now - worker.started_at, 1),
                "idle_seconds": round(now - worker.used_at, 1),
                "rss_bytes": rss_bytes(worker.process.pid),
            }
            for worker in sorted(self._workers, key=lambda worker: worker.number)
        ]

    def _check_start(self) -> None:
        """Raises CliError when processes do not start: better at once than after the client's patience."""
        if self.starts_failed >= MAX_FAILED_STARTS:
            raise CliError(
                "cannot answer: the Claude Code CLI does not start; the operator can run `claudegwctl doctor`"
            )


# So many failed starts in a row are no accident: requests are refused until one succeeds.
MAX_FAILED_STARTS = 3
