"""Delivers notices: the sender never waits, and each target gets its notices one after the other."""

import logging
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

import trio

from claudegwd.config.notify import words_of
from claudegwd.config.schema import NotifyConfig
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.notify.command import run_command
from claudegwd.notify.errors import DeliveryError, TryAgainError
from claudegwd.notify.notice import Notice, of_test
from claudegwd.notify.post import post
from claudegwd.notify.repeats import Place, Repeats
from claudegwd.store.database import Database, StateError
from claudegwd.store.notices import read_told, write_told

# Notices waiting for one target. More at once means a disaster, which the first hundred report just as well.
QUEUE_MAX: Final = 100
# Pauses between the tries of one POST: a server that is being restarted is there again, and a minute is soon enough.
RETRY_SECONDS: Final = (2.0, 10.0, 45.0)
# How long shutdown waits for pending notices.
LAST_SECONDS: Final = 5.0

Send = Callable[[bytes], Awaitable[str | None]]  # returns the target's reply, if any


class Target:
    """One target of notices. `pauses`: those between tries."""

    def __init__(self, name: str, pauses: tuple[float, ...] = ()) -> None:
        self.name = name
        self.send: Send | None = None  # None: not configured
        self._pauses = pauses
        self._queue: deque[bytes] = deque()
        self._more = trio.Event()
        self._one = trio.Lock()  # one program at a time, however many tests are requested
        self._dropped = 0

    def put(self, body: bytes) -> None:
        """Queue it; never waits."""
        if len(self._queue) >= QUEUE_MAX:
            if not self._dropped:
                log_event(
                    log, logging.ERROR, "too many notifications are waiting: further ones are dropped", kind=self.name
                )
            self._dropped += 1
            return
        self._queue.append(body)
        self._more.set()

    async def run(self, stopping: trio.Event) -> None:
        """Keep delivering what is queued; when stopping, only what is queued now."""
        while True:
            while self._queue:
                await self._deliver(self._queue.popleft())
            self._dropped = 0
            if stopping.is_set():
                return
            self._more = trio.Event()
            await self._more.wait()

    def wake(self) -> None:
        self._more.set()

    async def _deliver(self, body: bytes) -> None:
        for pause in (*self._pauses, None):
            try:
                await self.deliver(body)
            except DeliveryError as error:
                if pause is None or not isinstance(error, TryAgainError):
                    log_event(
                        log, logging.WARNING, "a notification could not be delivered", kind=self.name, reason=str(error)
                    )
                    return
            else:
                return
            await trio.sleep(pause)

    async def deliver(self, body: bytes) -> str:
        """One try; returns the reply. Raises DeliveryError."""
        async with self._one:
            return (self.send is not None and await self.send(body)) or ""


class Notifications:
    """Run `run` as a task. Until then, or while nothing is configured, nothing is sent."""

    def __init__(
        self,
        database: Database,
        env: Mapping[str, str],
        host: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self._database = database
        self._env = env
        self._host = host
        self._command = Target("command")
        self._url = Target("url", RETRY_SECONDS)
        # Whether this machine sends what happens on several; None: there are no others.
        self.claim: Callable[[Notice], Awaitable[bool]] | None = None
        self._unclaimed: deque[Notice] = deque(maxlen=QUEUE_MAX)
        self._asked = trio.Event()
        self._repeats = Repeats()
        self._unwritten: set[Place] = set()
        self._noted = trio.Event()

    def configure(self, config: NotifyConfig) -> None:
        """Set where notices go from now on, including pending ones."""
        words = words_of(config.command)
        self._command.send = partial(run_command, words, self._env) if words else None
        self._url.send = partial(post, config.url, env=self._env) if config.url else None

    async def load(self) -> None:
        """Load what an earlier run has sent."""
        try:
            self._repeats = Repeats(await self._database.run(read_told))
        except (sqlite3.Error, StateError) as error:
            log_event(log, logging.WARNING, "the record of sent notifications cannot be read", cause=error)

    def tell(self, notice: Notice) -> None:
        """Send it, unless it was sent already. Never waits."""
        if not self._configured() or not (notice.every or self._is_new(notice)):
            return
        if notice.everywhere and self.claim is not None:
            self._unclaimed.append(notice)
            self._asked.set()
        else:
            self._put(notice)

    def _put(self, notice: Notice) -> None:
        for target in self._configured():
            target.put(notice.body(self._host))

    def _is_new(self, notice: Notice) -> bool:
        place = self._repeats.take(notice)
        if place is None:
            return False
        self._unwritten.add(place)
        self._noted.set()
        return True

    async def test(self) -> list[dict[str, Any]]:
        """Send each target a test, and wait: `target`, `ok`, `error`, `said` and `seconds` of each."""
        body = of_test(self.clock()).body(self._host)
        results: dict[str, dict[str, Any]] = {}
        async with trio.open_nursery() as nursery:
            for target in self._configured():
                results[target.name] = {"target": target.name}
                nursery.start_soon(_test, target, body, results[target.name])
        return list(results.values())

    async def run(self) -> None:
        """Keep delivering. When cancelled, pending notices are still sent within LAST_SECONDS."""
        stopping = trio.Event()
        async with trio.open_nursery() as nursery:
            patience = trio.CancelScope(shield=True)
            nursery.start_soon(self._deliver, stopping, patience)
            try:
                await trio.sleep_forever()
            finally:
                patience.deadline = trio.current_time() + LAST_SECONDS
                stopping.set()
                self._noted.set()
                self._asked.set()

    async def _deliver(self, stopping: trio.Event, patience: trio.CancelScope) -> None:
        claimed = trio.Event()  # nothing more will come
        with patience:
            async with trio.open_nursery() as nursery:
                for target in (self._command, self._url):
                    nursery.start_soon(target.run, claimed)
                nursery.start_soon(self._keep_told, stopping)
                nursery.start_soon(self._claim_all, stopping, claimed)

    async def _claim_all(self, stopping: trio.Event, claimed: trio.Event) -> None:
        while True:
            self._asked = trio.Event()
            while self._unclaimed:
                notice = self._unclaimed.popleft()
                if self.claim is None or await self.claim(notice):
                    self._put(notice)
            if stopping.is_set():
                break
            await self._asked.wait()
        claimed.set()
        for target in (self._command, self._url):
            target.wake()

    async def _keep_told(self, stopping: trio.Event) -> None:
        while True:
            self._noted = trio.Event()
            await self._write_told()
            if stopping.is_set():
                return
            await self._noted.wait()

    async def _write_told(self) -> None:
        places, self._unwritten = self._unwritten, set()
        rows = [(place, self._repeats.rows[place]) for place in places if place in self._repeats.rows]
        if not rows:
            return
        try:
            await self._database.run(write_told, rows)
        except (sqlite3.Error, StateError) as error:
            log_event(log, logging.WARNING, "the record of sent notifications cannot be written", cause=error)
            self._unwritten |= places

    def _configured(self) -> list[Target]:
        return [target for target in (self._command, self._url) if target.send is not None]


async def _test(target: Target, body: bytes, result: dict[str, Any]) -> None:
    started = trio.current_time()
    problem, said = None, ""
    try:
        said = await target.deliver(body)
    except DeliveryError as error:
        problem = str(error)
    result.update(ok=problem is None, error=problem, said=said, seconds=round(trio.current_time() - started, 3))
