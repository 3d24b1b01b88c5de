"""Keeps spares: one that was taken or lost is replaced, but not while a request waits for its first token."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import trio

from claudegwd.config.schema import WorkersConfig
from claudegwd.openai_api.errors import CliError
from claudegwd.workers.pool.roster import Roster
from claudegwd.workers.worker.states import WorkerState
from claudegwd.workers.worker.worker import Worker

# How long refilling is put off for requests that wait for their first token: then it continues regardless, or a busy
# gateway would never have a spare again.
PATIENCE_SECONDS = 2.0

# At the maximum, the worker that has been idle longest is ended to make room for a spare, but only if it has been idle
# for this long: under load it is used again within milliseconds. If this were longer, clients that keep changing their
# system prompt, and so fill the pool with idle workers, would wait for a process to start each time.
ROOM_SECONDS = 3.0


class Spares:
    """Run it beside the roster. `config` returns the current settings."""

    def __init__(self, roster: Roster, config: Callable[[], WorkersConfig], clock: Callable[[], float]) -> None:
        self._roster = roster
        self._config = config
        self._clock = clock
        self._missing = trio.Event()
        self._missing.set()
        self._before_first_token = 0
        self._quiet = trio.Event()
        self._stopped = False

    async def run(self) -> None:
        """Start spares, forever."""
        while True:
            await self._missing.wait()
            self._missing = trio.Event()
            while self._wanted():
                await self._stand_back()
                if self._wanted():
                    with suppress(CliError):  # a failed start, counted as one: the next one backs off
                        self._roster.hire(background=True)
                        self._make_room()  # only once the spare exists

    def look(self) -> None:
        """A spare may be missing."""
        self._missing.set()

    def stop(self) -> None:
        """Start no more."""
        self._stopped = True

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

    def _wanted(self) -> bool:
        config = self._config()
        unused = len(self._roster.in_state(WorkerState.STARTING, WorkerState.SPARE))
        if self._stopped or unused >= config.spares:
            return False
        living = self._roster.living()
        # Idle workers must not displace every spare, or a client with another system prompt would wait for a process to
        # start; but the last idle worker is worth more than a spare.
        return living < config.max or (living - unused > 1 and bool(self._long_idle()))

    def _make_room(self) -> None:
        if self._roster.living() > self._config().max:
            for worker in self._long_idle()[:1]:
                worker.life.close()

    def _long_idle(self) -> list[Worker]:
        before = self._clock() - ROOM_SECONDS
        return [worker for worker in self._roster.in_state(WorkerState.IDLE) if worker.used_at <= before]

    async def _stand_back(self) -> None:
        await trio.sleep(self._roster.starts.pause(self._clock()))
        if self._before_first_token:
            self._quiet = trio.Event()
            with trio.move_on_after(PATIENCE_SECONDS):
                await self._quiet.wait()
