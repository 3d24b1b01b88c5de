"""Where questions are asked: the workers, keys and bounds that they share, and the owner of their tasks."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from claudegwd.config.schema import LimitsConfig
from claudegwd.keys.answers import ENVIRONMENT, Dead, NoKeys, WaitForKey
from claudegwd.keys.failure_words import in_words
from claudegwd.keys.failures import FailureKind, error_for
from claudegwd.keys.key import UpstreamKey
from claudegwd.keys.ring import KeyRing
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.redact import redact
from claudegwd.translate.answer.turn import Failed
from claudegwd.translate.request.plan import Plan
from claudegwd.workers.pool.pool import Pool
from claudegwd.workers.pool.sweep import BETWEEN_EVENTS_SECONDS
from claudegwd.workers.question.attempts import Attempts
from claudegwd.workers.question.question import Question

# The longest silence that is accepted before the upstream begins to answer: a long prompt on a busy upstream.
FIRST_EVENT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Bounds on one question, in seconds. `backs_off`: whether a failing upstream is asked again after a pause."""

    hold: float
    request: float
    first_event: float = FIRST_EVENT_SECONDS
    between_events: float = BETWEEN_EVENTS_SECONDS
    backs_off: bool = True


class Questions:
    """Where questions are asked. Run it in a nursery first. `clock` is the wall clock, as reset times are."""

    def __init__(self, pool: Pool, ring: KeyRing, timing: Timing, clock: Callable[[], float]) -> None:
        self.pool = pool
        self.ring = ring
        self.timing = timing
        self.clock = clock
        self.failures: dict[str, int] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the tasks of all questions until cancelled."""
        async with trio.open_nursery() as self._nursery:
            task_status.started()
            await trio.sleep_forever()

    def ask(self, plan: Plan, request_id: str, *, whole: bool = False) -> Question:
        """Start a question; the caller reads the answer and closes it. `whole`: it takes the answer in one piece."""
        question = Question(self, plan, request_id, whole=whole)
        self.spawn(question.prepare)
        return question

    def spawn(self, task: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Run one request's task; its failure does not affect the others."""
        if self._nursery is None:
            raise RuntimeError("cannot ask before the questions are run")
        self._nursery.start_soon(_contained, task, *arguments)

    def choose(self, plan: Plan, attempts: Attempts) -> UpstreamKey | NoKeys | WaitForKey:
        """The key for the next attempt, or until when to wait for one. Raises the error if none comes in time."""
        now, choice = self.clock(), self._choose(plan, attempts)
        if isinstance(choice, UpstreamKey | NoKeys):
            if choice.address in attempts.avoided:
                attempts.avoided.clear()  # all have failed, so each may be tried once more
            return choice
        if not isinstance(choice, WaitForKey):
            raise error_for(choice.kind, keys=len(self.ring) > 0, disabled=choice.disabled)
        if attempts.held_until is None:
            attempts.held_until = now + self.timing.hold
        if choice.until > attempts.held_until:
            raise error_for(choice.kind, retry_after=choice.until - now, refused=choice.refused)
        return choice

    def has_other_address(self, plan: Plan, attempts: Attempts) -> bool:
        """Whether the next attempt could go to an address that has not failed this question."""
        choice = self._choose(plan, attempts)
        return isinstance(choice, UpstreamKey) and choice.address not in attempts.avoided

    def _choose(self, plan: Plan, attempts: Attempts) -> UpstreamKey | NoKeys | WaitForKey | Dead:
        return self.ring.choose(
            self.clock(), model=plan.model.cli_name, prefer=self.pool.key_of(plan), tried=attempts.tried,
            avoid=attempts.avoided,
        )  # fmt: skip

    def report(self, question: Question, failed: Failed, reset_at: float | None) -> None:
        """Record a failed attempt in the log, the counts and the key's state. `reset_at`: when its limit ends."""
        if failed.kind in (FailureKind.UNREAD, FailureKind.LATE):  # neither the upstream's fault nor the key's
            what = "an answer was not read" if failed.kind is FailureKind.UNREAD else "an answer took too long"
            log_event(log, logging.WARNING, what, request_id=question.request_id)
            return
        name, detail = question.key or ENVIRONMENT, redact(failed.detail)
        log_event(
            log, logging.WARNING, "an attempt failed", request_id=question.request_id, key=name,
            reason=failed.kind.value, status=failed.status, attempt=question.attempts.count, detail=detail or None,
        )  # fmt: skip
        self.failures[failed.kind.value] = self.failures.get(failed.kind.value, 0) + 1
        self.ring.failed(
            name, failed.kind, self.clock(), model=question.plan.model.cli_name, reset_at=reset_at,
            error=" ".join(in_words(failed.kind, failed.status, detail).split()),
            # A late failure of a token that has since been replaced must not mark the new one.
            digest=question.used.digest, request=question.request_id,
        )  # fmt: skip

    def within(self, ring: KeyRing, timing: Timing) -> "Questions":
        """The same, with other keys and bounds."""
        made = Questions(self.pool, ring, timing, self.clock)
        made._nursery = self._nursery
        return made

    def configure(self, limits: LimitsConfig, hold_seconds: float) -> None:
        """Set new bounds for future questions."""
        self.timing = Timing(hold=hold_seconds, request=limits.request_seconds)

    def answered(self, question: Question) -> None:
        """Count a complete answer for its key."""
        finished = question.answer.finished
        if finished is not None:
            tokens = finished.usage.prompt + finished.usage.completion
            self.ring.succeeded(question.key or ENVIRONMENT, self.clock(), tokens, digest=question.used.digest)


async def _contained(task: Callable[..., Awaitable[object]], *arguments: object) -> None:
    """One request's task: its failure must not end the nursery, which owns those of all requests."""
    try:
        await task(*arguments)
    except Exception as error:  # noqa: BLE001 - a boundary: the other requests continue
        log_event(log, logging.ERROR, "a task of a request failed unexpectedly", cause=error)
