"""Sends workers that nobody uses to the background, so that what they still do does not slow running answers."""

from collections.abc import Callable
from typing import Final

import trio

from claudegwd.workers.pool.roster import Roster
from claudegwd.workers.worker.states import WorkerState
from claudegwd.workers.worker.worker import Worker

# A worker that is not used for so long gets only idle time. The CLI's runtime collects garbage 0.3 s after an answer or
# later, with a thread for each core; under load, the worker is used again before that. Going to the background and
# coming back takes some 0.3 ms of the daemon's processor time.
REST_SECONDS: Final = 0.2

_UNUSED: Final = (WorkerState.SPARE, WorkerState.IDLE, WorkerState.PARKED)


class Rest:
    """Run it beside the roster. `look` after each change of a worker's state; a worker comes back when it is taken."""

    def __init__(self, roster: Roster, clock: Callable[[], float]) -> None:
        self._roster = roster
        self._clock = clock
        self._some = trio.Event()

    def look(self, worker: Worker) -> None:
        """Its state has changed."""
        if worker.life.state in _UNUSED:
            self._some.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            if self._is_any_left():
                await trio.sleep(REST_SECONDS)
            else:
                self._some = trio.Event()
                await self._some.wait()

    def _is_any_left(self) -> bool:
        """Send those to the background that are due; whether there are others that will be."""
        left = False
        before = self._clock() - REST_SECONDS
        for worker in self._roster.in_state(*_UNUSED):
            if worker.used_at < before:
                worker.process.to_background()
            else:
                left = True
        return left
