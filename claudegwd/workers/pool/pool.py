"""The pool: lends a worker to each question, by the way that costs least, and keeps what can be used again.

Theory of operation. Which worker a plan gets is decided by one pure function (choice.py); the pool looks up what it
needs to know, does what it says, and keeps the leases.

- Promised: a worker has one borrower at most, and none once it is closing; a client never gets one that holds another
  client's conversation. Who waits is served in turn, client by client. A worker that is given back, that settles or
  that ends wakes who waits. `give_back` may be called twice and never waits.
- What can interleave: borrowers, the workers' own reports, the task that serves the queue, the sweep, and a reload or a
  drain. Taking a worker and leasing it happen without an await between them, so nobody else can see it free.
- Bounded: workers by workers.max, the queue by limits.queue and limits.queue_seconds, a lease by
  limits.request_seconds, silence and unread answers by the sweep, which the watchdog looks after.
"""

import math
import random
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import trio

from claudegwd.config.schema import LimitsConfig, WorkersConfig
from claudegwd.keys.failures import FailureKind
from claudegwd.openai_api.errors import CliError, Overloaded, ShuttingDown
from claudegwd.supervised import supervised
from claudegwd.translate.request.history import canonical_answer, chain
from claudegwd.translate.request.plan import Plan
from claudegwd.translate.signatures import Signatures
from claudegwd.workers.pool.choice import Candidate, Way, WorkerChoice, choose
from claudegwd.workers.pool.conversations import Conversations, fits_parked
from claudegwd.workers.pool.memory import is_short, rss_bytes
from claudegwd.workers.pool.roster import Roster
from claudegwd.workers.pool.spares import Spares
from claudegwd.workers.pool.waiting import FairQueue
from claudegwd.workers.process.process import Launch
from claudegwd.workers.worker.states import (
    OVERDUE_START_SECONDS,
    SETTLE_SECONDS,
    START_SECONDS,
    WorkerEvent,
    WorkerState,
)
from claudegwd.workers.worker.worker import OnLimits, Worker

# How long a request waits for a worker that is about to be free, before it takes a new one: it takes some 10 ms.
SETTLING_SECONDS = 0.1

# A process keeps what memory it once needed (observed: 200 prompts of half a megabyte took one from 193 to 422 MB, a
# body of 30 MB to 819). One above the bound is replaced when it is idle; a fresh one has about 270.
MAX_RSS_BYTES = 512 * 1024 * 1024
# And it grows by 0.1 MB a use, so that this is near the same bound.
MAX_USES = 2_000

# When whoever finds the queue full is told to come back: spread, or all that came at once would come at once again.
FULL_SECONDS = (1.0, 4.0)

# The longest silence that is taken for work once the upstream has begun to answer: a model may think for minutes
# without showing it, and the CLI keeps the upstream's pings to itself.
BETWEEN_EVENTS_SECONDS = 300.0

# How long a CLI may be kept waiting by a client that does not read its answer.
UNREAD_SECONDS = 180.0

# A parked turn is not given up for who waits before its client has had time to run a tool: most take less.
PARK_GRACE_SECONDS = 2.0

# A process that nobody waits for starts in the background. On a busy machine that may be for ever, so after this it
# gets its share.
BACKGROUND_SECONDS = 2.0

# Conversations of which the key is known under which they ran last: those of some minutes, for their prompt cache.
MAX_KEYS_KNOWN = 4_096

SWEEP_SECONDS = 1.0  # how often idle times, silences and memory are looked at
ALIVE_SECONDS = 10.0  # a sweep that is so late is stuck


@dataclass(slots=True, eq=False)
class Lease:
    """A borrowed worker: how it was had, and how many of the plan's entries it holds already."""

    worker: Worker
    way: Way
    held: int = 0
    plan: Plan | None = None
    until: float = math.inf  # on the pool's clock; past it the sweep ends the worker, whatever the borrower does


@dataclass(slots=True, eq=False)
class _Waiter:
    plan: Plan
    lease: Lease | None = None
    given: trio.Event = field(default_factory=trio.Event)  # or there will be none

    @property
    def has_living(self) -> bool:
        """Whether it was given a worker that is still there."""
        return self.lease is not None and self.lease.worker.state is not WorkerState.CLOSING


class Pool:
    """Run it in a nursery; then `acquire`. All methods belong to one trio thread."""

    def __init__(
        self, launch: Callable[[], Launch], workers: WorkersConfig, limits: LimitsConfig, clock: Callable[[], float]
    ) -> None:
        self.workers_config = workers
        self.limits = limits
        self.whole = False  # requests go in whole
        self.plain_system = False  # and with nothing but the client's system prompt
        self.had: dict[str, int] = {}  # how workers were had, counted
        self.on_limits: OnLimits = lambda *_: None
        self.on_waited: Callable[[float], None] = lambda _: None  # seconds that a request was in the queue
        self.roster = Roster(launch, clock, self._on_hired, self._on_gone)
        self.spares = Spares(self.roster, lambda: self.workers_config, clock)
        self._clock = clock
        self._leases: dict[Worker, Lease] = {}
        self._conversations = Conversations()
        self.signatures = Signatures()
        self._keys: OrderedDict[bytes, str] = OrderedDict()  # by the digest of a conversation that ran under it
        self._queue: FairQueue[_Waiter] = FairQueue(limits.queue)
        self._free = trio.Event()  # a worker may have become free
        self._draining = False
        self._swept_at = clock()

    # -- life ---------------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the workers until cancelled; on the way out every process is ended and reaped."""
        async with trio.open_nursery() as nursery:
            self.roster.open(nursery)
            nursery.start_soon(supervised, self.spares.run, "the spares")
            nursery.start_soon(supervised, self._serve_waiters, "the queue")
            nursery.start_soon(supervised, self._sweep, "the sweep")
            task_status.started()
            await trio.sleep_forever()

    def configure(self, workers: WorkersConfig, limits: LimitsConfig) -> None:
        """Take new settings at once; workers over a lowered bound go as they become free."""
        self.workers_config = workers
        self.limits = limits
        self._queue.bound = limits.queue
        self.spares.look()

    def carry(self, *, whole: bool, plain_system: bool) -> None:
        """How requests go in from now on: `whole` or as a transcript; whole ones with the system prompt in them, or
        told to the CLI before. Workers that were started otherwise are given up as they become free."""
        if (whole, plain_system) != (self.whole, self.plain_system):
            self.whole, self.plain_system = whole, plain_system
            self.renew()

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
        """A worker for this plan, as `choice.py` has it.

        `fresh` asks for one that holds nothing. Waits in the queue while all are busy. Raises Overloaded when the queue
        is full or the wait too long, ShuttingDown while draining, CliError while the CLI does not start.
        """
        if self._draining:
            raise _shutting_down()
        if not fresh:
            await self._until_settled(plan)
        lease = None if len(self._queue) else self._take(plan, fresh=fresh)
        if lease is None and self.roster.starts.hopeless(self._clock()) and not self._any_will_be_free():
            raise CliError(
                "cannot answer: the Claude Code CLI does not start; the operator can run `claudegwctl doctor`"
            )
        return lease or await self._wait(plan)

    def _any_will_be_free(self) -> bool:
        return bool(self.roster.in_state(WorkerState.BUSY, WorkerState.SETTLING))

    def key_of(self, plan: Plan) -> str | None:
        """The name of the key under which this plan's conversation ran so far: its prompt cache is there."""
        digests = (entry.digest for entry in reversed(plan.entries))
        return next((self._keys[digest] for digest in digests if digest in self._keys), None)

    def give_back(self, lease: Lease) -> None:
        """The borrower is done. A turn that is not over is ended, and the worker goes back to where it was."""
        worker = lease.worker
        if self._leases.get(worker) is lease:
            del self._leases[worker]
            if worker.state is WorkerState.BUSY:
                worker.abandon()

    async def _until_settled(self, plan: Plan) -> None:
        """Wait for a worker that has just answered and could serve this plan, if no other can."""
        base = self._base(plan)
        of_the_base = [worker for worker in self.roster if worker.base == base]
        if any(worker.state is WorkerState.IDLE for worker in of_the_base if worker.launch.whole):
            return
        for worker in of_the_base:
            if worker.state is WorkerState.SETTLING:
                with trio.move_on_after(SETTLING_SECONDS):
                    await worker.at_rest.wait()
                return

    def _base(self, plan: Plan) -> bytes:
        """What a worker has to be started with to serve this plan."""
        return plan.base_of(whole=self.whole, system=self.plain_system, share=self.workers_config.share)

    def _take(self, plan: Plan, *, fresh: bool = False) -> Lease | None:
        """A worker for this plan, or None if it has to wait. Does not wait."""
        workers, seen = self._look(plan)
        room = self.roster.living() < self.workers_config.max
        may_start = not self.roster.starts.hopeless(self._clock())
        choice = choose(seen, whole=self.whole, room=room, may_start=may_start, fresh=fresh)
        return self._carry_out(choice, workers, plan) if choice is not None else None

    def _look(self, plan: Plan) -> tuple[list[Worker], list[Candidate]]:
        workers = list(self.roster)
        base, found = self._base(plan), None if self.whole else self._conversations.find(plan)
        seen = []
        now = self._clock()
        for worker in workers:
            same_base = worker.base == base and (self.whole or worker.launch.goes_back)
            view = Candidate(
                worker.state,
                worker.used_at,
                same_base=same_base,
                length=len(worker.transcript),
                spared=worker.state is WorkerState.PARKED and now - worker.used_at < PARK_GRACE_SECONDS,
                overdue=worker.state is WorkerState.STARTING and now - worker.started_at > OVERDUE_START_SECONDS,
            )
            if found is not None and worker is found[0]:
                common = found[1]
                view = replace(
                    view,
                    common=common,
                    # With all that the plan says it holds the answer too, or at least the question.
                    length=max(view.length, common + (common == len(plan.entries))),
                    cut=_cut_point(worker, min(common, len(plan.entries) - 1)),
                    takes_results=worker.state is WorkerState.PARKED and fits_parked(plan, common),
                )
            seen.append(view)
        return workers, seen

    def _carry_out(self, choice: WorkerChoice, workers: Sequence[Worker], plan: Plan) -> Lease:
        worker = self.roster.hire() if choice.worker is None else workers[choice.worker]
        if choice.instead is not None:  # not before there is another
            workers[choice.instead].close(now=workers[choice.instead].state is WorkerState.PARKED)
        self._conversations.drop(worker)
        worker.change(WorkerEvent.TAKEN)
        lease = Lease(worker, choice.way, choice.held, plan, self._clock() + self.limits.request_seconds)
        worker.lend_to(plan.client, self._base(plan))
        self._leases[worker] = lease
        if choice.way in (Way.SPARE, Way.COLD):
            self.spares.look()
        self.had[choice.way.value] = self.had.get(choice.way.value, 0) + 1
        return lease

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
                await self._given(waiter)
        except trio.Cancelled:
            if waiter.lease is not None:
                self.give_back(waiter.lease)
            raise
        finally:
            self._queue.discard(plan.client, waiter)
            self.on_waited(self._clock() - began)
        if waiter.lease is not None:
            return waiter.lease
        if self._draining:
            raise _shutting_down()
        raise Overloaded("cannot take a request: all workers are busy; ask again in a moment", retry_after=2.0)

    async def _given(self, waiter: _Waiter) -> None:
        """Wait until it has a worker. One that dies before its borrower wakes costs it nothing but time."""
        while not waiter.has_living and not self._draining:
            if waiter.lease is not None:
                self.give_back(waiter.lease)
                waiter.lease, waiter.given = None, trio.Event()
                self._queue.put_first(waiter.plan.client, waiter)
            self._free.set()
            await waiter.given.wait()

    async def _serve_waiters(self) -> None:
        """Give workers to who waits, in turn, whenever there may be any to give."""
        while True:
            await self._free.wait()
            self._free = trio.Event()
            while not self._draining and (waiter := self._queue.head()) is not None:
                try:
                    lease = self._take(waiter.plan)
                except CliError:
                    break  # a failed start: it keeps its place, and the sweep looks again
                if lease is None:
                    break
                self._queue.pop()
                waiter.lease = lease
                waiter.given.set()

    # -- what workers report ------------------------------------------------------------------------------------------

    def _on_hired(self, worker: Worker) -> None:
        worker.on_change = self._on_change
        worker.on_answer = self._on_answer
        worker.on_limits = self.on_limits

    def _on_gone(self, worker: Worker) -> None:
        self._leases.pop(worker, None)
        self._conversations.drop(worker)
        self.spares.look()
        self._free.set()

    def _on_change(self, worker: Worker) -> None:
        if worker.state is WorkerState.SPARE:
            self.roster.starts.succeeded()
        if worker.state is WorkerState.CLOSING:
            self._conversations.drop(worker)
            self.spares.look()
        if worker.state in (WorkerState.IDLE, WorkerState.PARKED):
            self._conversations.put(worker)
        if worker.state is WorkerState.IDLE and self._is_worn_out(worker):
            worker.close()
        self._free.set()

    def _is_worn_out(self, worker: Worker) -> bool:
        """Whether it is to be replaced: too large, too long in use, or started for another way to ask."""
        worn = worker.uses >= MAX_USES or rss_bytes(worker.process.pid) > MAX_RSS_BYTES
        return worn or worker.launch.whole is not self.whole

    def _on_answer(self, worker: Worker) -> None:
        """The answer is complete: learn of the conversation with it before the client can come back for it."""
        worker.used_at = self._clock()
        self.roster.starts.succeeded()
        lease = self._leases.get(worker)
        finished = worker.answer.finished
        if finished is None or lease is None or lease.plan is None or lease.plan.is_prefill:
            return
        calls = [(call.id, call.name, call.arguments) for call in worker.answer.calls]
        digest = chain(lease.plan.entries[-1].digest, canonical_answer(worker.answer.text, calls))
        self.signatures.remember(digest, worker.answer.model, finished)
        if worker.key is not None:
            self._keys[digest] = worker.key
            self._keys.move_to_end(digest)
            if len(self._keys) > MAX_KEYS_KNOWN:
                self._keys.popitem(last=False)
        if not worker.launch.whole:
            worker.transcript.add(digest)

    # -- what time brings ---------------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        while True:
            await trio.sleep(SWEEP_SECONDS)
            self._swept_at = self._clock()
            self.roster.end_stuck_warm_ups()
            self.roster.look_after_starts(background=BACKGROUND_SECONDS, most=START_SECONDS)
            self._end_unused()
            self._end_late()
            self._free.set()  # the pause after failed starts may be over
            self.spares.look()  # and an idle worker may make room for one
            while self.roster.living() > self.workers_config.max and self.roster.give_up_one():
                pass
            if is_short():
                self.roster.give_up_one()

    def _end_unused(self) -> None:
        config = self.workers_config
        bounds = {WorkerState.IDLE: config.idle_seconds, WorkerState.PARKED: config.parked_seconds}
        for worker in self.roster:
            stuck = worker.state is WorkerState.SETTLING and worker.silent_for() > SETTLE_SECONDS
            if stuck or self._swept_at - worker.used_at > bounds.get(worker.state, math.inf):
                worker.close(now=stuck or worker.state is WorkerState.PARKED)

    def _end_late(self) -> None:
        for worker, lease in list(self._leases.items()):
            if not worker.is_answering:
                continue
            if worker.unread_for() > UNREAD_SECONDS:
                worker.time_out(FailureKind.UNREAD)
            elif self._swept_at > lease.until or worker.silent_for() > BETWEEN_EVENTS_SECONDS:
                worker.time_out()
            else:
                worker.tell_silence()


def _cut_point(worker: Worker, most: int) -> int:
    return worker.transcript.cut_point(most) if worker.launch.goes_back else 0


def _shutting_down() -> ShuttingDown:
    return ShuttingDown("cannot take a request: the gateway is shutting down; ask again in a moment")
