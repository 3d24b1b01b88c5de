"""The roster: every worker from the start of its process until it is reaped, and how workers end."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import trio

from claudegwd.config.schema import WorkersConfig
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.openai_api.errors import CliError
from claudegwd.workers.pool.memory import rss_bytes
from claudegwd.workers.pool.starts import Starts
from claudegwd.workers.process.process import Launch
from claudegwd.workers.process.scratch import remove
from claudegwd.workers.worker.states import WorkerState
from claudegwd.workers.worker.worker import Worker, WorkerReports


class Roster:
    """`hire` starts a worker in the nursery given to `open`. `reports` go to each worker; `on_gone`: it was reaped."""

    def __init__(
        self,
        launch: Callable[[], Launch],
        clock: Callable[[], float],
        reports: WorkerReports,
        on_gone: Callable[[Worker], None],
    ) -> None:
        self.starts = Starts()
        self.exits: dict[str, int] = {}  # how often processes ended in each way
        self.last_words = ""  # why the last failed start failed
        self.orphans = 0  # processes that left others behind
        self._launch = launch
        self._clock = clock
        self._reports = reports
        self._on_gone = on_gone
        self._workers: set[Worker] = set()
        self._overdue: set[Worker] = set()  # ended because they did not start in time
        self._warms_up = True  # until a CLI gets stuck in its warm-up
        self._nursery: trio.Nursery | None = None

    def __iter__(self) -> Iterator[Worker]:
        return iter(tuple(self._workers))

    def open(self, nursery: trio.Nursery) -> None:
        """Set the nursery that owns the workers from now on."""
        self._nursery = nursery

    def hire(self, *, background: bool = False) -> Worker:
        """Start a worker; it may be taken at once. `background`: no request is waiting for it.

        Raises CliError before `open`, and when what a process needs cannot be created; that counts as a failed start.
        """
        if self._nursery is None:
            raise CliError("cannot start a worker: the pool is not running")
        try:
            launch = self._launch()
        except (OSError, RuntimeError) as error:  # its directory: disk full, no inodes, TMPDIR gone
            self.starts.fail(self._clock())
            self.last_words = "its directory or a thread could not be created"
            self.exits["start"] = self.exits.get("start", 0) + 1
            log_event(log, logging.WARNING, "a CLI process cannot be prepared", cause=error)
            raise CliError("cannot start a worker: its directory cannot be created; check the disk of TMPDIR") from None
        warms_up = background and self._warms_up and launch.warms_up
        worker = Worker(launch, self._clock, self._reports, background=background, warms_up=warms_up)
        self._workers.add(worker)
        self._nursery.start_soon(self._own, worker)
        return worker

    def living(self) -> int:
        """How many processes are not being ended."""
        return sum(1 for worker in self._workers if worker.life.state is not WorkerState.CLOSING)

    def in_state(self, *states: WorkerState) -> list[Worker]:
        """The workers in these states, least recently used first."""
        found = [worker for worker in self._workers if worker.life.state in states]
        return sorted(found, key=lambda worker: worker.used_at) if len(found) > 1 else found

    def give_up_one(self) -> bool:
        """End the least recently used idle worker, else parked one. Returns whether there was one."""
        for state in (WorkerState.IDLE, WorkerState.PARKED):
            for worker in self.in_state(state):
                worker.life.close(now=state is WorkerState.PARKED)
                return True
        return False

    def trim(self, config: WorkersConfig) -> None:
        """End the workers above the bounds that are not in use: unused ones first, and then as `give_up_one`."""
        while unused := self.in_state(WorkerState.STARTING, WorkerState.SPARE):
            if len(unused) <= config.spares and self.living() <= config.max:
                break
            unused[0].life.close()
        while self.living() > config.max and self.give_up_one():
            pass

    def end_stuck_warm_ups(self) -> None:
        """End workers stuck in their warm-up; spares started from now on skip it."""
        for worker in self:
            if worker.is_stuck_warming_up:
                self._warms_up = False
                log_event(log, logging.WARNING, "a spare was stuck in its warm-up", pid=worker.process.pid)
                worker.life.close(now=True)

    def look_after_starts(self, *, background: float, most: float) -> None:
        """After `background` seconds, give a start its normal share of the CPU; after `most`, end it: it would count as
        a spare forever."""
        now = self._clock()
        for worker in self.in_state(WorkerState.STARTING):
            if now - worker.started_at > most:
                self.starts.fail(now)
                self._overdue.add(worker)
                log_event(log, logging.WARNING, "a CLI process does not start", pid=worker.process.pid)
                worker.life.close(now=True)
            elif now - worker.started_at > background:
                worker.process.to_foreground()

    def counts(self) -> dict[str, int]:
        """Workers by state."""
        counts = {state.value: 0 for state in WorkerState}
        for worker in self._workers:
            counts[worker.life.state.value] += 1
        return counts

    def describe(self) -> list[dict[str, Any]]:
        """A dict for each worker, with nothing from its conversation."""
        now = self._clock()
        return [
            {
                "number": worker.number,
                "pid": worker.process.pid,
                "state": worker.life.state.value,
                "client": worker.client,
                "key": worker.key,
                "uses": worker.uses,
                "age_seconds": round(now - worker.started_at, 1),
                "idle_seconds": round(now - worker.used_at, 1),
                "rss_bytes": rss_bytes(worker.process.pid),
            }
            for worker in sorted(self._workers, key=lambda worker: worker.number)
        ]

    async def _own(self, worker: Worker) -> None:
        try:
            await worker.run()
        except Exception as error:  # noqa: BLE001 - a boundary: it has ended, the others continue
            worker.process.fault = worker.process.fault or "an internal error of the gateway"
            log_event(log, logging.ERROR, "a worker failed unexpectedly", pid=worker.process.pid, cause=error)
        finally:
            with trio.CancelScope(shield=True):
                try:
                    await trio.to_thread.run_sync(remove, worker.launch.cwd)
                except RuntimeError:  # no more threads
                    remove(worker.launch.cwd)
            self._workers.discard(worker)
            self._note_exit(worker)
            self._on_gone(worker)

    def _note_exit(self, worker: Worker) -> None:
        fault = worker.process.fault
        unprepared = worker.failed_to_start
        if unprepared:
            self.starts.fail(self._clock())
            self.last_words = worker.process.stderr.last_words or fault or ""
        kind = "fault" if fault else "start" if unprepared or worker in self._overdue else "ended"
        self._overdue.discard(worker)
        self.exits[kind] = self.exits.get(kind, 0) + 1
        self.orphans += worker.process.left_others
        if fault or unprepared:
            log_event(
                log,
                logging.WARNING,
                "a CLI process failed",
                pid=worker.process.pid,
                exit_status=worker.process.exit_status,
                reason=fault or "it exited before it was ready",
                detail=worker.process.stderr.last_words or None,
            )
