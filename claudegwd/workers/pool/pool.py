"""The pool: lends a worker to each question, in the cheapest way, and keeps workers that can be used again.

Theory of operation. A single pure function decides which worker a plan gets (choice.py); the pool collects its input,
carries out its decision, and keeps the leases.

- Promised: a worker has at most one borrower, and none once it is closing; a client never gets a worker that holds
  another client's conversation. Waiting requests are served in turn, client by client. When a worker is given back,
  settles or ends, waiting requests are woken. `give_back` may be called twice and never waits.
- What can interleave: borrowers, the workers' own reports, the task that serves the queue, the sweep, and a reload or a
  drain. There is no await between choosing a worker and leasing it, so no other task can see it as free.
- Bounded: workers by workers.max, the queue by limits.queue and limits.queue_seconds, a lease by
  its request's deadline, silence and unread answers by the sweep, which the watchdog monitors.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import trio

from claudegwd.claude_cli.limit_windows import LimitWindow
from claudegwd.config.schema import LimitsConfig, WorkersConfig
from claudegwd.openai_api.errors import CliError
from claudegwd.supervised import supervised
from claudegwd.translate.request.history import canonical_answer, chain
from claudegwd.translate.request.plan import Plan
from claudegwd.translate.signatures import Signatures
from claudegwd.workers.pool.choice import Candidate, Way, WorkerChoice, choose
from claudegwd.workers.pool.conversations import Conversations, fits_parked
from claudegwd.workers.pool.lease import Lease
from claudegwd.workers.pool.memory import rss_bytes
from claudegwd.workers.pool.rest import Rest
from claudegwd.workers.pool.roster import Roster
from claudegwd.workers.pool.spares import Spares
from claudegwd.workers.pool.sweep import Sweep
from claudegwd.workers.pool.waiters import Waiters
from claudegwd.workers.process.process import Launch
from claudegwd.workers.worker.states import (
    OVERDUE_START_SECONDS,
    WorkerEvent,
    WorkerState,
)
from claudegwd.workers.worker.worker import Worker, WorkerReports

# How long a request waits for a worker that is about to be free before it takes a new one: settling takes some 10 ms.
SETTLING_SECONDS = 0.1

# A process returns little memory (observed: 200 prompts of half a megabyte grew one from 193 to 422 MB, a body of
# 30 MB to 819). One above the bound is replaced when it is idle; a fresh one takes about 270 MB.
MAX_RSS_BYTES = 512 * 1024 * 1024
# It also grows by 0.1 MB per use, so this is near the same bound.
MAX_USES = 2_000

# A parked turn is not given up for a waiting request before its client has had time to run a tool: most take less.
PARK_GRACE_SECONDS = 2.0

# Conversations whose last key is remembered: those of the last few minutes, for their prompt cache.
MAX_KEYS_KNOWN = 4_096


class Pool:
    """Run it in a nursery; then `acquire`. All methods belong to one trio thread."""

    def __init__(
        self,
        launch: Callable[[], Launch],
        workers: WorkersConfig,
        limits: LimitsConfig,
        clock: Callable[[], float],
        on_limits: Callable[[str, str, Sequence[LimitWindow]], None] = lambda *_: None,
    ) -> None:
        """`on_limits` is given a key's name and digest, and what an answer said about its limits."""
        self.workers_config = workers
        self.whole = False  # requests are sent whole
        self.plain_system = False  # and with only the client's system prompt
        self.had: dict[str, int] = {}  # how often workers were obtained in each way
        reports = WorkerReports(self._on_change, self._on_answer, on_limits)
        self.roster = Roster(launch, clock, reports, self._on_gone)
        self.spares = Spares(self.roster, lambda: self.workers_config, clock)
        self.rest = Rest(self.roster, clock)
        self._clock = clock
        self.waiters = Waiters(self._take, self.give_back, limits, clock)
        self._leases: dict[Worker, Lease] = {}
        self.sweep = Sweep(self.roster, self._leases, lambda: self.workers_config, clock, self._on_swept)
        self._conversations = Conversations()
        self.signatures = Signatures()
        self._keys: OrderedDict[bytes, str] = OrderedDict()  # by the digest of a conversation that ran under it

    # -- life ---------------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the workers until cancelled; then every process is ended and reaped."""
        async with trio.open_nursery() as nursery:
            self.roster.open(nursery)
            nursery.start_soon(supervised, self.spares.run, "the spares")
            nursery.start_soon(supervised, self.waiters.serve, "the queue")
            nursery.start_soon(supervised, self.sweep.run, "the sweep")
            nursery.start_soon(supervised, self.rest.run, "sending idle workers to the background")
            task_status.started()
            await trio.sleep_forever()

    def configure(self, workers: WorkersConfig, limits: LimitsConfig) -> None:
        """Apply new settings at once; workers over a lowered bound are ended as they become free."""
        self.workers_config = workers
        self.waiters.configure(limits)
        self.roster.trim(workers)
        self.spares.look()

    def carry(self, *, whole: bool, plain_system: bool) -> None:
        """How requests are sent from now on: `whole` or as a transcript; if whole, with the system prompt in the body
        or given to the CLI beforehand. Workers started otherwise are given up as they become free."""
        if (whole, plain_system) != (self.whole, self.plain_system):
            self.whole, self.plain_system = whole, plain_system
            self.renew()

    def renew(self) -> None:
        """The way workers are started has changed: end every worker, those in use as they become free. A parked one
        would go on with the old credentials."""
        for worker in self.roster:
            worker.is_outdated = True
            if worker.life.state not in (WorkerState.BUSY, WorkerState.SETTLING):
                worker.life.close(now=worker.life.state is WorkerState.PARKED)
        self.spares.look()

    def drain(self) -> None:
        """Take no new requests; waiting ones are refused."""
        self.spares.stop()
        self.waiters.drain()

    @property
    def queued(self) -> int:
        """How many requests are waiting for a worker."""
        return len(self.waiters)

    # -- borrowing ----------------------------------------------------------------------------------------------------

    async def acquire(self, plan: Plan, *, fresh: bool = False) -> Lease:
        """A worker for this plan, as `choice.py` decides.

        `fresh` asks for one that holds nothing. Waits in the queue while all are busy. Raises Overloaded if the queue
        is full or the wait too long, ShuttingDown while draining, CliError while the CLI fails to start.
        """
        self.waiters.refuse_while_draining()
        if not fresh:
            await self._until_settled(plan)
        lease = None if len(self.waiters) else self._take(plan, fresh=fresh)
        if lease is None and self.roster.starts.hopeless(self._clock()) and not self._any_will_be_free():
            raise CliError(
                "cannot answer: the Claude Code CLI does not start; ask the operator to run `claudegwctl doctor`"
            )
        return lease or await self.waiters.in_turn(plan)

    def _any_will_be_free(self) -> bool:
        return bool(self.roster.in_state(WorkerState.BUSY, WorkerState.SETTLING))

    def key_of(self, plan: Plan) -> str | None:
        """The name of the key that this plan's conversation last used: its prompt cache is there."""
        digests = (entry.digest for entry in reversed(plan.entries))
        return next((self._keys[digest] for digest in digests if digest in self._keys), None)

    def give_back(self, lease: Lease) -> None:
        """The borrower is done. An unfinished turn is ended, and the worker rewinds to where it was before."""
        worker = lease.worker
        if self._leases.get(worker) is lease:
            del self._leases[worker]
            if worker.life.state is WorkerState.BUSY:
                worker.used_at = self._clock()
                worker.turn.abandon()

    async def _until_settled(self, plan: Plan) -> None:
        """Wait for a worker that has just answered and could serve this plan, unless another can."""
        base = self._base(plan)
        of_the_base = [worker for worker in self.roster if worker.base == base]
        if any(worker.life.state is WorkerState.IDLE for worker in of_the_base if worker.launch.whole):
            return
        for worker in of_the_base:
            if worker.life.state is WorkerState.SETTLING:
                with trio.move_on_after(SETTLING_SECONDS):
                    await worker.life.at_rest.wait()
                return

    def _base(self, plan: Plan) -> bytes:
        """What a worker must have been started with to serve this plan."""
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
                worker.life.state,
                worker.used_at,
                same_base=same_base,
                length=len(worker.transcript),
                spared=worker.life.state is WorkerState.PARKED and now - worker.used_at < PARK_GRACE_SECONDS,
                overdue=worker.life.state is WorkerState.STARTING and now - worker.started_at > OVERDUE_START_SECONDS,
            )
            if found is not None and worker is found[0]:
                common = found[1]
                view = view._replace(
                    common=common,
                    # If it holds the whole plan, it also holds the answer, or at least the question.
                    length=max(view.length, common + (common == len(plan.entries))),
                    cut=_cut_point(worker, min(common, len(plan.entries) - 1)),
                    takes_results=worker.life.state is WorkerState.PARKED and fits_parked(plan, common),
                )
            seen.append(view)
        return workers, seen

    def _carry_out(self, choice: WorkerChoice, workers: Sequence[Worker], plan: Plan) -> Lease:
        worker = self.roster.hire() if choice.worker is None else workers[choice.worker]
        if choice.instead is not None:  # only once its replacement exists
            workers[choice.instead].life.close(now=workers[choice.instead].life.state is WorkerState.PARKED)
        self._conversations.drop(worker)
        worker.life.change(WorkerEvent.TAKEN)
        lease = Lease(worker, choice.way, choice.held, plan)
        worker.lend_to(plan.client, self._base(plan))
        self._leases[worker] = lease
        if choice.way in (Way.SPARE, Way.COLD):
            self.spares.look()
        self.had[choice.way.value] = self.had.get(choice.way.value, 0) + 1
        return lease

    # -- what workers report ------------------------------------------------------------------------------------------

    def _on_gone(self, worker: Worker) -> None:
        self._leases.pop(worker, None)
        self._conversations.drop(worker)
        self.spares.look()
        self.waiters.wake()

    def _on_change(self, worker: Worker) -> None:
        if worker.life.state is WorkerState.SPARE:
            self.roster.starts.succeeded(worker.started_at)
        if worker.life.state is WorkerState.CLOSING:
            self._conversations.drop(worker)
            self.spares.look()
        if worker.life.state in (WorkerState.IDLE, WorkerState.PARKED):
            self._conversations.put(worker)
        self.rest.look(worker)
        if worker.life.state is WorkerState.IDLE and self._is_worn_out(worker):
            worker.life.close()
        elif worker.life.state is WorkerState.PARKED and worker.is_outdated:
            worker.life.close(now=True)
        self.waiters.wake()

    def _is_worn_out(self, worker: Worker) -> bool:
        """Whether it must be replaced: too large, used too often, or started as workers no longer are. The first spare
        is started before it is known how requests are sent."""
        outdated = worker.is_outdated or worker.launch.whole is not self.whole
        return outdated or worker.uses >= MAX_USES or rss_bytes(worker.process.pid) > MAX_RSS_BYTES

    def _on_answer(self, worker: Worker) -> None:
        """The answer is complete: index the conversation that includes it before the client can send the next turn."""
        worker.used_at = self._clock()
        self.roster.starts.succeeded(worker.started_at)
        lease = self._leases.get(worker)
        finished = worker.turn.answer.finished
        if finished is None or lease is None or lease.plan is None or lease.plan.is_prefill:
            return
        calls = [(call.id, call.name, call.arguments) for call in worker.turn.answer.calls]
        digest = chain(lease.plan.entries[-1].digest, canonical_answer(worker.turn.answer.text, calls))
        self.signatures.remember(digest, worker.turn.answer.model, finished)
        if worker.key is not None:
            self._keys[digest] = worker.key
            self._keys.move_to_end(digest)
            if len(self._keys) > MAX_KEYS_KNOWN:
                self._keys.popitem(last=False)
        if not worker.launch.whole:
            worker.transcript.add(digest)

    def _on_swept(self) -> None:
        self.waiters.wake()  # the pause after failed starts may be over
        self.spares.look()  # and an idle worker may make room for one


def _cut_point(worker: Worker, most: int) -> int:
    return worker.transcript.cut_point(most) if worker.launch.goes_back else 0
