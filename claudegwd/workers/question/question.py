"""One question, from its plan to the last token: the worker, the key, the retries before the first token.

Theory of operation. A task in the questions' nursery prepares the answer up to its first token, while everything can
still be retried; from then on the request's own task reads from the worker's channel directly, and nothing is retried.

- Promised: the reader gets the outputs of a single attempt, in order, and then the end or one error. Nothing of an
  attempt is passed on before it has a token. `close` gives everything back, immediately, whenever it is called.
- What can interleave: `close` with either task, at every await; the end of the worker, by itself or by the pool's
  sweep, which the channel reports; a reload, which changes keys and bounds for the next attempt. The two tasks never
  read at the same time: `first` waits for the preparing task.
- Bounded: everything by limits.request_seconds, waiting for keys by keys.hold_seconds, attempts by the failure table
  and MAX_ATTEMPTS, and each wait as listed in `waits.py`.
"""

import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from claudegwd.keys.answers import NoKeys
from claudegwd.keys.failures import FailureKind, RetryRule, backoff_seconds
from claudegwd.keys.key import UpstreamKey
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.openai_api.errors import (
    GatewayError,
    InternalError,
    ModelNotFound,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.outputs import has_token
from claudegwd.translate.answer.turn import Failed, Finished, Output
from claudegwd.translate.request.plan import Plan
from claudegwd.workers.carriers.carry import carry, credentials
from claudegwd.workers.pool.lease import Lease
from claudegwd.workers.question.attempts import Attempts, error_of
from claudegwd.workers.worker.life import WorkerLost
from claudegwd.workers.worker.output_channel import Batch, OutputReceiver

if TYPE_CHECKING:
    from claudegwd.workers.question.questions import Questions

# How often the deadline of a question without an answer is checked: it changes once the CLI has acknowledged it.
LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """What was used under one key; a failed attempt may have used something too."""

    key: str
    answer: Answer


class Question:
    """A question in progress. Start it with `Questions.ask`; read it with `first` and `next`; always `close` it."""

    bound = ""  # which of a workspace's bounds ended the answer

    def __init__(self, questions: "Questions", plan: Plan, request_id: str, *, whole: bool = False) -> None:
        self.plan = plan
        self.request_id = request_id
        self.whole = whole  # nothing is handed out before the end, so it may be retried until then
        self.how = ""
        self.key: str | None = None
        self.used: UpstreamKey | NoKeys = NoKeys()
        self.attempts = Attempts()
        self.error: GatewayError | None = None
        self.waited = 0.0  # seconds for a worker: in the queue, or for the CLI to end its last turn
        self.asked_at: float | None = None  # trio's clock: when the question was first written to a CLI
        self.spoke_at: float | None = None  # when the first token came from it
        self.first_at: float | None = None  # when it could be handed out: for `whole`, at the end of the answer
        self.waits_for_key = False  # for the end of a key's cooldown
        self.uses: list[Use] = []  # one for each time it was written to a CLI
        self._questions = questions
        self._lease: Lease | None = None
        self._receive: OutputReceiver | None = None
        self._asked = plan  # including what a replay needs beyond what the client sent
        self._answer = Answer()  # this question's own: the worker may move on to another before ours is read
        self._first: list[Output] = []
        self._went_whole = False
        self._begun = False  # the upstream has begun to answer, which costs money
        self._broken: Failed | None = None  # the answer broke off after what was handed out
        self._ready = trio.Event()
        self._scope = trio.CancelScope()
        self._closed = False
        self._deadline = trio.current_time() + questions.timing.request

    # -- for the request ----------------------------------------------------------------------------------------------

    async def first(self) -> Sequence[Output]:
        """The outputs up to and including the first token, or all of them for `whole`. Raises the GatewayError if it
        never came.

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
        raise error_of(broken)

    @property
    def answer(self) -> Answer:
        """Everything said so far."""
        return self._answer

    @property
    def worker_pid(self) -> int | None:
        """The process that serves it."""
        return self._lease.worker.process.pid if self._lease is not None else None

    @property
    def altered(self) -> Sequence[str]:
        """What reached the model in other characters than the client sent: nothing, if the request was sent whole."""
        return () if self._went_whole else self.plan.tools.altered

    @property
    def lacks_model(self) -> bool:
        """Whether it failed before the first token because the model is not available under any key."""
        spoke = self.spoke_at is not None or self.attempts.spoke
        return isinstance(self.error, ModelNotFound | UpstreamUnavailable) and not spoke

    def close(self) -> None:
        """Give everything back; a running turn is ended at once. Never waits, may be called twice."""
        self._closed = True
        self._scope.cancel()
        if self._lease is not None:
            self._questions.pool.give_back(self._lease)

    def spawn(self, task: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Run a task beside the request, in the nursery that owns all questions."""
        self._questions.spawn(task, *arguments)

    # -- the preparing task -------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Get the question to its first token, with whatever workers and keys that takes."""
        try:
            with self._scope, self._questions.pool.spares.waiting_for_first_token():
                with trio.fail_at(self._deadline):
                    await self._until_first_token()
        except GatewayError as error:
            self.error = error
        except trio.TooSlowError:
            self.error = UpstreamTimeout("cannot answer in time: no answer within limits.request_seconds")
        except Exception as error:  # noqa: BLE001 - the boundary of a turn: log once, answer 500
            log_event(
                log, logging.ERROR, "a turn failed unexpectedly", request_id=self.request_id, error=type(error).__name__
            )
            log.debug("traceback of an unexpected error", exc_info=error)
            self.error = InternalError("cannot answer: internal error; search the gateway's log for the request id")
        finally:
            over = self.error is not None or self._scope.cancelled_caught or self._closed
            if over:
                self.error = self.error or InternalError("cannot answer: the request was closed")
            self._ready.set()  # even if closing fails
            if over:
                self.close()

    async def _until_first_token(self) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()  # closed before this task ran: nothing may be sent
        again = False
        while True:
            self._begun, self.spoke_at = False, None
            failed = await self._attempt(again=again)
            if failed is None:
                return
            self._report(failed)
            again = await self._next_step(failed)

    async def _attempt(self, *, again: bool) -> Failed | None:
        """One attempt; None once there is a token. `again`: in the same process, with its transcript as it is."""
        self.attempts.count += 1
        try:
            key = await self._choose_key()
            again = again and self._has_living_worker()  # it may have died, or was given back to wait for a key
            while self._lease is None:
                began = trio.current_time()
                self._lease = await self._questions.pool.acquire(self.plan, fresh=self.attempts.processes_failed)
                self.how = self._lease.way.value
                self._lease.until = self._deadline
                self._went_whole = self._lease.worker.launch.whole
                self.waited += trio.current_time() - began if self.asked_at is None else 0.0
                if anew := self.plan.anew_for(whole=self._lease.worker.launch.whole):
                    self._drop_worker()  # leased for the old plan, which a reload has overtaken
                    self.plan = anew()
                    continue
                key = await self._choose_key()  # the one chosen before may have failed meanwhile
                self._has_living_worker()  # and the worker may be outdated
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
        self.key, self.used = key.name, key
        self._questions.ring.addresses.asked(key.address, self._questions.clock())
        if not again:
            self._asked = pool.signatures.restored(self.plan, lease.held)
        self._receive = await carry(
            lease, self._asked, credentials(key, worker), key.name, again=again, system=pool.plain_system
        )
        self._answer = worker.turn.answer
        self.uses.append(Use(key.name, self._answer))

    async def _read_first(self) -> Failed | None:
        first: list[Output] = []
        while (batch := await self._receive_soon()) is not None:
            if self.spoke_at is None and has_token(batch):
                self.spoke_at = trio.current_time()
            self._begun = self._begun or any(not isinstance(output, Failed) for output in batch)
            if batch and isinstance(batch[-1], Failed) and (self.whole or not has_token([*first, *batch[:-1]])):
                return batch[-1]
            first.extend(batch)
            if isinstance(first[-1], Finished) if self.whole and first else has_token(first):
                last = first[-1]
                if isinstance(last, Failed):
                    self._broken = last  # in the same read as the first token, which goes first
                    first.pop()
                self._first = first
                self.first_at = trio.current_time()
                return None
        return self._lost(FailureKind.CLI, "the CLI exited")

    async def _receive_soon(self) -> Batch | None:
        """The next outputs. Raises WorkerLost if the CLI says nothing at all; returns a failure if the upstream falls
        silent, but not if it is merely slow and shows any sign of life."""
        worker, timing = self._held().worker, self._questions.timing
        while True:
            if not worker.hearing.acknowledged:
                left = worker.hearing.acknowledge_within() - worker.hearing.silent_for()
            else:
                bound = timing.between_events if worker.turn.hears_upstream else timing.first_event
                left = bound - worker.hearing.silent_for()
            if left <= 0 and not worker.hearing.acknowledged:
                raise WorkerLost("the CLI does not answer")
            if left <= 0:
                return [self._lost(FailureKind.SILENT, "upstream")]
            with trio.move_on_after(min(left, LOOK_SECONDS)):
                return await self._channel().receive()

    # -- what a failure leads to --------------------------------------------------------------------------------------

    def _report(self, failed: Failed) -> None:
        if not self._closed:  # otherwise it was stopped, which is not a failure
            self._questions.report(self, failed, self._reset_at(failed))

    def _reset_at(self, failed: Failed) -> float | None:
        if failed.reset_at is not None or failed.kind is not FailureKind.RATE_LIMIT or self._lease is None:
            return failed.reset_at
        return self._lease.worker.process.stderr.reset_at(self._questions.clock())

    async def _next_step(self, failed: Failed) -> bool:
        """Prepare the next attempt; returns whether it uses the same process. Raises the error if nothing is left."""
        backs_off = self._questions.timing.backs_off
        self.attempts.spoke = self.attempts.spoke or self.spoke_at is not None
        rule, spent = self.attempts.take(failed, self.used, begun=self._begun, backs_off=backs_off)
        if rule.retry is RetryRule.OTHER_PROCESS:
            self._drop_worker()
            return False
        if self._begun and not self._went_whole:
            self._let_worker_go()  # its transcript holds what was said: it is rewound first
        if rule.retry is RetryRule.OTHER_ADDRESS and not self._questions.has_other_address(self.plan, self.attempts):
            await trio.sleep(backoff_seconds(spent, random.random()))  # noqa: S311 - jitter, not a secret
        return self._has_living_worker()

    def _has_living_worker(self) -> bool:
        """Whether there is a worker to continue with; one that is being ended, or should be, is given back."""
        if self._lease is not None and self._lease.worker.is_over:
            self._drop_worker()
        return self._lease is not None

    def _let_worker_go(self) -> None:
        """Another request may use the worker while this one waits, and no sweep has to judge its silence."""
        if self._lease is not None:
            self._questions.pool.give_back(self._lease)
            self._lease = None

    def _drop_worker(self) -> None:
        if self._lease is not None:
            self._lease.worker.life.close(now=True)
        self._let_worker_go()

    async def _choose_key(self) -> UpstreamKey | NoKeys:
        """The key for the next attempt; holds the request if one becomes available within `hold_seconds`."""
        while True:
            choice = self._questions.choose(self.plan, self.attempts)
            if isinstance(choice, UpstreamKey | NoKeys):
                return choice
            self._let_worker_go()
            self.waits_for_key = True
            await trio.sleep(max(0.01, choice.until - self._questions.clock()))
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
