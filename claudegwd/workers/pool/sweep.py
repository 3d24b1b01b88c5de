"""The sweep: enforces the time limits of all workers, once a second."""

import math
from collections.abc import Callable, Mapping
from typing import Final

import trio

from claudegwd.config.schema import WorkersConfig
from claudegwd.keys.failures import FailureKind
from claudegwd.workers.pool.lease import Lease
from claudegwd.workers.pool.memory import is_short
from claudegwd.workers.pool.roster import Roster
from claudegwd.workers.worker.states import SETTLE_SECONDS, START_SECONDS, WorkerState
from claudegwd.workers.worker.worker import Worker

# The longest silence that is accepted once the upstream has begun to answer: a model may think for minutes without
# showing it, and the CLI does not pass on the upstream's pings.
BETWEEN_EVENTS_SECONDS: Final = 300.0

# How long a client that does not read its answer may block a CLI.
UNREAD_SECONDS: Final = 180.0

# A process that nobody waits for starts at background priority. On a busy machine that may take forever, so after this
# time it gets its normal share.
BACKGROUND_SECONDS: Final = 2.0

SWEEP_SECONDS: Final = 1.0  # how often idle times, silences and memory are checked
ALIVE_SECONDS: Final = 10.0  # a sweep that is this late is stuck


class Sweep:
    """`leases` is the pool's own table; `swept` is called after each round, when there may be room again.

    `give_up_elsewhere`: when memory is short, ends an idle process outside the pool; returns whether there was one.
    """

    def __init__(
        self,
        roster: Roster,
        leases: Mapping[Worker, Lease],
        config: Callable[[], WorkersConfig],
        clock: Callable[[], float],
        swept: Callable[[], None],
    ) -> None:
        self._roster = roster
        self._leases = leases
        self._config = config
        self._clock = clock
        self._swept = swept
        self.give_up_elsewhere: Callable[[], bool] = lambda: False
        self._at = clock()

    def is_alive(self) -> bool:
        """For the watchdog (on the same event loop): whether the sweep is still running."""
        return self._clock() - self._at < ALIVE_SECONDS

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await trio.sleep(SWEEP_SECONDS)
            self._at = self._clock()
            self._roster.end_stuck_warm_ups()
            self._roster.look_after_starts(background=BACKGROUND_SECONDS, most=START_SECONDS)
            self._end_unused()
            self._end_late()
            self._swept()
            self._roster.trim(self._config())
            if is_short() and not self._roster.give_up_one():
                self.give_up_elsewhere()

    def _end_unused(self) -> None:
        config = self._config()
        bounds = {WorkerState.IDLE: config.idle_seconds, WorkerState.PARKED: config.parked_seconds}
        for worker in self._roster:
            stuck = worker.life.state is WorkerState.SETTLING and worker.hearing.silent_for() > SETTLE_SECONDS
            if stuck or self._at - worker.used_at > bounds.get(worker.life.state, math.inf):
                worker.life.close(now=stuck or worker.life.state is WorkerState.PARKED)

    def _end_late(self) -> None:
        for worker, lease in list(self._leases.items()):
            if not worker.turn.is_answering:
                continue
            if worker.hearing.unread_for() > UNREAD_SECONDS:
                worker.turn.time_out(FailureKind.UNREAD)
            elif self._at > lease.until:
                worker.turn.time_out(FailureKind.LATE)
            elif worker.hearing.silent_for() > BETWEEN_EVENTS_SECONDS:
                worker.turn.time_out()
            elif worker.hearing.heartbeat_is_due():
                worker.turn.tell_silence()
