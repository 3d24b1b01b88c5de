"""One question, from its plan to the last token: the worker, the key, the retries before the first token.

A task in the gateway's nursery prepares the answer up to its first token, where everything can still be tried again;
from then on the request's own task reads the worker's channel directly, and nothing is retried.
"""

import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import trio

from claudegwd.config.schema import LimitsConfig
from claudegwd.keys.answers import ENVIRONMENT, NoKeys, WaitForKey
from claudegwd.keys.failures import FAILURES, FailureKind, RetryRule, backoff_seconds, error_for
from claudegwd.keys.key import BASE_URL_VARIABLE, UpstreamKey
from claudegwd.keys.ring import KeyRing
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.openai_api.errors import (
    GatewayError,
    InternalError,
    ModelNotFound,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from claudegwd.redact import redact
from claudegwd.translate.answer import Answer
from claudegwd.translate.plan import Plan
from claudegwd.translate.turn import Failed, Finished, Output, Started, Verbatim
from claudegwd.workers.carry import carry
from claudegwd.workers.output_channel import Batch, OutputReceiver
from claudegwd.workers.pool import BETWEEN_EVENTS_SECONDS, Lease, Pool
from claudegwd.workers.states import WorkerState
from claudegwd.workers.worker import Worker, WorkerLost

# The longest silence before the upstream begins to answer that is taken for work: a long prompt on a busy upstream.
FIRST_EVENT_SECONDS = 120.0

# How often a question that has no answer yet is looked after: what it waits for changes with the first sign of life.
LOOK_SECONDS = 0.25

# A bound on attempts beside those of the failure table: more keys than this in one request are a loop.
MAX_ATTEMPTS = 64


@dataclass(frozen=True, slots=True)
class Timing:
    """Bounds on one question, in seconds. `backs_off`: whether an upstream that fails is asked again after a pause."""

    hold: float
    request: float
    first_event: float = FIRST_EVENT_SECONDS
    between_events: float = BETWEEN_EVENTS_SECONDS
    backs_off: bool = True


@dataclass(slots=True)
class Attempts:
    """What one question has tried so far."""

    tried: set[str] = field(default_factory=set)
    spent: dict[FailureKind, int] = field(default_factory=dict)
    count: int = 0
    processes_failed: bool = False
    broken_off: bool = False  # after the upstream had begun to answer
    held_until: float | None = None  # the wall clock: it waits for keys no longer than this, all waits together


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """What was used under one key: an attempt that failed may have used something too."""

    key: str
    answer: Answer


class Question:
    """A question under way. Start it with `Questions.ask`; read it with `first` and `next`; always `close` it."""

    def __init__(self, questions: "Questions", plan: Plan, request_id: str, *, whole: bool = False) -> None:
        self.plan = plan
        self.request_id = request_id
        self.whole = whole  # nothing is handed out before the end, so up to there it may be asked again
        self.how = ""
        self.key: str | None = None
        self._key_digest: str | None = None
        self.attempts = Attempts()
        self.error: GatewayError | None = None
        self.waited = 0.0  # seconds for a worker: in the queue, or for the CLI to end its last turn
        self.asked_at: float | None = None  # trio's clock: the question was written to the CLI, the first time
        self.first_at: float | None = None  # the first token came from it
        self.spoke_at: float | None = None  # the same, also where the answer is not handed out before its end
        self.waits_for_key = False  # until one has cooled
        self.uses: list[Use] = []  # one for each time that it was written to a CLI
        self._questions = questions
        self._lease: Lease | None = None
        self._receive: OutputReceiver | None = None
        self._asked = plan  # with what a replay needs beside what the client sent
        self._answer = Answer()  # this question's own: the worker may have gone on to another before we are read
        self._first: list[Output] = []
        self._went_whole = False
        self._begun = False  # the upstream has begun to answer, which costs
        self._broken: Failed | None = None  # the answer breaks off after what was handed out
        self._ready = trio.Event()
        self._scope = trio.CancelScope()
        self._closed = False
        self._deadline = trio.current_time() + questions.timing.request

    # -- for the request ----------------------------------------------------------------------------------------------

    async def first(self) -> Sequence[Output]:
        """The outputs up to and including the first token, or all of them where it is asked for the `whole`. Raises the
        GatewayError if it never came.

        May be cancelled and called again.
        """
        await self._ready.wait()
        if self.error is not None:
            raise self.error
        return self._first

    async def next(self) -> Batch | None:
        """The next outputs; () for each heartbeat of silence, None at the end. Raises GatewayError if it breaks off."""
        broken, self._broken = self._broken, None
        if broken is None:
            batch = await self._channel().receive()
            if not batch or not isinstance(batch[-1], Failed):
                return batch
            if len(batch) > 1:
                self._broken = batch[-1]
                return batch[:-1]
            broken = batch[-1]
        self._report(broken)
        raise _error_of(broken)

    @property
    def answer(self) -> Answer:
        """All that was said so far."""
        return self._answer

    @property
    def worker_pid(self) -> int | None:
        """The process that was taken for it."""
        return self._lease.worker.process.pid if self._lease is not None else None

    @property
    def altered(self) -> Sequence[str]:
        """What reached the model in other characters than the client's: nothing of a request that went in whole."""
        return () if self._went_whole else self.plan.tools.altered

    @property
    def lacks_model(self) -> bool:
        """Whether it failed because the model is not to be had under any key, before anything of an answer came."""
        begun = self._begun or self.attempts.broken_off
        return isinstance(self.error, ModelNotFound | UpstreamUnavailable) and not begun

    def close(self) -> None:
        """Give everything back; a turn under way is ended at once. Never waits, may be called twice."""
        self._closed = True
        self._scope.cancel()
        if self._lease is not None:
            self._questions.pool.give_back(self._lease)

    def spawn(self, task: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Run a task beside the request, in the nursery that owns all questions."""
        self._questions.nursery.start_soon(_contained, task, *arguments)

    # -- the preparing task -------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Bring the question to its first token, on whatever worker and key that takes."""
        try:
            with self._scope, self._questions.pool.spares.waiting_for_first_token():
                with trio.fail_at(self._deadline):
                    await self._until_first_token()
        except GatewayError as error:
            self.error = error
        except trio.TooSlowError:
            self.error = UpstreamTimeout("cannot answer in time: nothing came within limits.request_seconds")
        except Exception as error:  # noqa: BLE001 - the boundary of a turn: log once, answer 500
            log_event(
                log, logging.ERROR, "a turn failed unexpectedly", request_id=self.request_id, error=type(error).__name__
            )
            log.debug("traceback of an unexpected error", exc_info=error)
            self.error = InternalError(
                "cannot answer: an error of the gateway's own; its log has it under the request id"
            )
        finally:
            over = self.error is not None or self._scope.cancelled_caught or self._closed
            if over:
                self.error = self.error or InternalError("cannot answer: the request was closed")
            self._ready.set()  # whatever comes of closing
            if over:
                self.close()

    async def _until_first_token(self) -> None:
        again = False
        while True:
            self._begun, self.spoke_at = False, None
            failed = await self._attempt(again=again)
            if failed is None:
                return
            self._report(failed)
            again = await self._next_step(failed)

    async def _attempt(self, *, again: bool) -> Failed | None:
        """One attempt; None once a token is there. `again`: in the same process, with its transcript as it is."""
        self.attempts.count += 1
        try:
            key = await self._choose_key()
            again = again and self._has_living_worker()  # it may have died, or was given back while none was to be had
            while self._lease is None:
                began = trio.current_time()
                self._lease = await self._questions.pool.acquire(self.plan, fresh=self.attempts.processes_failed)
                self.how = self._lease.way.value
                self._went_whole = self._lease.worker.launch.whole
                self.waited += trio.current_time() - began
                key = await self._choose_key()  # the one from before the queue may have died in the meantime
            await self._ask(key, again=again)
            self.asked_at = self.asked_at or trio.current_time()
            return await self._read_first()
        except WorkerLost as error:
            return self._lost(FailureKind.CLI, str(error))

    def _lost(self, kind: FailureKind, error: str) -> Failed:
        return Failed(kind, None, error, None)

    async def _ask(self, key: UpstreamKey | NoKeys, *, again: bool) -> None:
        lease, pool = self._held(), self._questions.pool
        worker = lease.worker
        self.key = key.name
        # A late failure of a token that was replaced meanwhile must not mark the new one.
        self._key_digest = key.digest if isinstance(key, UpstreamKey) else None
        if not again:
            self._asked = pool.signatures.restored(self.plan, lease.held)
        self._receive = await carry(
            lease, self._asked, _credentials(key, worker), key.name, again=again, system=pool.plain_system
        )
        self._answer = worker.answer
        self.uses.append(Use(key.name, self._answer))

    async def _read_first(self) -> Failed | None:
        first: list[Output] = []
        while (batch := await self._receive_soon()) is not None:
            if batch and isinstance(batch[-1], Failed) and (self.whole or not _has_token([*first, *batch[:-1]])):
                return batch[-1]
            first.extend(batch)
            self._begun = self._begun or bool(batch)
            if self.spoke_at is None and _has_token(batch):
                self.spoke_at = trio.current_time()
            if isinstance(first[-1], Finished) if self.whole and first else _has_token(first):
                last = first[-1]
                if isinstance(last, Failed):
                    self._broken = last  # in the same read as the first token: told when that has been
                    first.pop()
                self._first = first
                self.first_at = trio.current_time()
                return None
        return self._lost(FailureKind.CLI, "the CLI ended")

    async def _receive_soon(self) -> Batch | None:
        """The next outputs. Raises WorkerLost for a CLI that says nothing at all, and gives a failure for an upstream
        that falls silent: not for one that takes long, as long as there is any sign of it."""
        worker, timing = self._held().worker, self._questions.timing
        while True:
            if not worker.has_acknowledged:
                left = worker.acknowledge_within() - worker.silent_for()
            else:
                bound = timing.between_events if worker.hears_upstream else timing.first_event
                left = bound - worker.silent_for()
            if left <= 0 and not worker.has_acknowledged:
                raise WorkerLost("the CLI does not answer")
            if left <= 0:
                return [self._lost(FailureKind.SILENT, "upstream")]
            with trio.move_on_after(min(left, LOOK_SECONDS)):
                return await self._channel().receive()

    # -- what a failure leads to --------------------------------------------------------------------------------------

    def _report(self, failed: Failed) -> None:
        if self._closed:
            return  # it was stopped, which is nobody's failure
        if failed.kind is FailureKind.UNREAD:
            log_event(log, logging.WARNING, "an answer was not read", request_id=self.request_id)
            return  # nor is this the upstream's, nor the key's
        now = self._questions.clock()
        name = self.key or ENVIRONMENT
        detail = redact(failed.detail)
        log_event(
            log, logging.WARNING, "an attempt failed", request_id=self.request_id, key=name, reason=failed.kind.value,
            status=failed.status, attempt=self.attempts.count, detail=detail or None,
        )  # fmt: skip
        self._questions.failures[failed.kind.value] = self._questions.failures.get(failed.kind.value, 0) + 1
        self._questions.ring.failed(
            name, failed.kind, now, model=self.plan.model.cli_name, reset_at=self._reset_at(failed, now),
            error=" ".join(f"{failed.kind.value} {failed.status or ''} {detail}".split()),
            digest=self._key_digest,
        )  # fmt: skip

    def _reset_at(self, failed: Failed, now: float) -> float | None:
        if failed.reset_at is not None or failed.kind is not FailureKind.RATE_LIMIT or self._lease is None:
            return failed.reset_at
        return self._lease.worker.process.reset_at(now)

    async def _next_step(self, failed: Failed) -> bool:
        """Prepare the next attempt; whether it goes to the same process. Raises the error when nothing is left."""
        rule = FAILURES[failed.kind]
        spent = self.attempts.spent.get(failed.kind, 0)
        self.attempts.spent[failed.kind] = spent + 1
        over = rule.retries is not None and spent >= rule.retries
        if rule.retry is RetryRule.SAME_KEY_BACKOFF and not self._questions.timing.backs_off:
            over = True
        # What has begun is being paid for. One that broke off is asked once more; one that fell silent would take as
        # long again.
        if self._begun:
            over = over or failed.kind is FailureKind.SILENT or self.attempts.broken_off
            self.attempts.broken_off = True
        if rule.retry is RetryRule.NEVER or over or self.attempts.count >= MAX_ATTEMPTS:
            raise _error_of(failed)
        self.attempts.tried.add(self.key or ENVIRONMENT) if rule.retry is RetryRule.NEXT_KEY else None
        if rule.retry is RetryRule.OTHER_PROCESS:
            self.attempts.processes_failed = True
            self._drop_worker()
            return False
        if rule.retry is RetryRule.SAME_KEY_BACKOFF:
            await trio.sleep(backoff_seconds(spent, random.random()))  # noqa: S311 - jitter, not a secret
        return self._has_living_worker()

    def _has_living_worker(self) -> bool:
        """Whether there is a worker to go on with; one that is being ended is given back."""
        if self._lease is not None and self._lease.worker.state is WorkerState.CLOSING:
            self._drop_worker()
        return self._lease is not None

    def _let_worker_go(self) -> None:
        """While no key is to be had somebody else may use it, and no sweep has to wonder what it is waiting for."""
        if self._lease is not None:
            self._questions.pool.give_back(self._lease)
            self._lease = None

    def _drop_worker(self) -> None:
        if self._lease is not None:
            self._lease.worker.close(now=True)
            self._questions.pool.give_back(self._lease)
            self._lease = None

    async def _choose_key(self) -> UpstreamKey | NoKeys:
        """The key for the next attempt; holds the request while one comes back within `hold_seconds`."""
        while True:
            now = self._questions.clock()
            choice = self._questions.ring.choose(
                now,
                model=self.plan.model.cli_name,
                prefer=self._questions.pool.key_of(self.plan),
                tried=self.attempts.tried,
            )
            if isinstance(choice, UpstreamKey | NoKeys):
                return choice
            if not isinstance(choice, WaitForKey):
                raise error_for(choice.kind, keys=len(self._questions.ring) > 0)
            if self.attempts.held_until is None:
                self.attempts.held_until = now + self._questions.timing.hold
            if choice.until > self.attempts.held_until:
                raise error_for(choice.kind, retry_after=choice.until - now, refused=choice.refused)
            self._let_worker_go()
            self.waits_for_key = True
            await trio.sleep(max(0.01, choice.until - now))
            self.waits_for_key = False
            self.attempts.tried.clear()

    def _held(self) -> Lease:
        if self._lease is None:
            raise WorkerLost("no worker was acquired")
        return self._lease

    def _channel(self) -> OutputReceiver:
        if self._receive is None:
            raise InternalError("cannot read an answer before its question was asked")
        return self._receive


def _error_of(failed: Failed) -> GatewayError:
    return error_for(failed.kind, detail=redact(failed.detail))


def _credentials(key: UpstreamKey | NoKeys, worker: Worker) -> dict[str, str]:
    """The variables that say whose credentials are used, and where. Without keys they are in the environment since the
    start; the address is said anew each time, because the worker may have taken it away."""
    if isinstance(key, UpstreamKey):
        return key.for_worker()
    return {BASE_URL_VARIABLE: worker.launch.env.get(BASE_URL_VARIABLE, "")}


async def _contained(task: Callable[..., Awaitable[object]], *arguments: object) -> None:
    """A task of one request, whose faults are nobody else's: the nursery that owns all of them must not end by one."""
    try:
        await task(*arguments)
    except Exception as error:  # noqa: BLE001 - a boundary: the other requests go on
        log_event(log, logging.ERROR, "a task of a request failed unexpectedly", cause=error)


def _has_token(outputs: Sequence[Output]) -> bool:
    return any(not isinstance(output, Started | Failed) and not _is_start(output) for output in outputs)


def _is_start(output: Output) -> bool:
    return isinstance(output, Verbatim) and output.name == "message_start"


@dataclass(slots=True)
class Questions:
    """Where questions are asked. `clock` is the wall clock: resets are named in it."""

    pool: Pool
    ring: KeyRing
    timing: Timing
    clock: Callable[[], float]
    nursery: trio.Nursery
    failures: dict[str, int] = field(default_factory=dict)

    def ask(self, plan: Plan, request_id: str, *, whole: bool = False) -> Question:
        """Begin; the caller reads the answer and closes it. `whole`: it takes the answer in one piece."""
        question = Question(self, plan, request_id, whole=whole)
        self.nursery.start_soon(_contained, question.prepare)
        return question

    def configure(self, limits: LimitsConfig, hold_seconds: float) -> None:
        """New bounds, for the questions that come."""
        self.timing = Timing(hold=hold_seconds, request=limits.request_seconds)

    def answered(self, question: Question, finished: Finished) -> None:
        """Count a finished answer to its key."""
        usage = finished.usage
        self.ring.succeeded(question.key or ENVIRONMENT, self.clock(), usage.prompt + usage.completion)
