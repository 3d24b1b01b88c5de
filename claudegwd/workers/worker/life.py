"""A worker's life: its state, and its end."""

from collections.abc import Callable

import trio

from claudegwd.transitions import after
from claudegwd.workers.process.process import CliProcess
from claudegwd.workers.worker.states import TRANSITIONS, WorkerEvent, WorkerState


class WorkerLost(Exception):  # noqa: N818 - named after what happened
    """The process ended, sent something invalid or refused a command."""


class WorkerLife:
    """`changed` is called after each change of `state`."""

    def __init__(self, process: CliProcess, changed: Callable[[], None]) -> None:
        self.state = WorkerState.STARTING
        self.at_rest = trio.Event()  # it is not settling
        self._process = process
        self._changed = changed
        self._refused: str | None = None

    def change(self, event: WorkerEvent) -> None:
        """Take an event of the state table."""
        self.state = after(TRANSITIONS, self.state, event)
        self._process.to_foreground()  # a spare has started, or a request waits for it
        if self.state is WorkerState.SETTLING:
            self.at_rest = trio.Event()
        else:
            self.at_rest.set()
        self._changed()

    def close(self, *, now: bool = False) -> None:
        """End the process: by the kill ladder, or at once (`now`) if a turn is running. Returns without waiting."""
        self.end()
        if now:
            self._process.kill()
        else:
            self._process.end()

    def fail(self, fault: str) -> None:
        """Close at once, because of this fault of the CLI's."""
        self._process.fault = fault
        self.close(now=True)

    def refuse(self, reason: str) -> None:
        """Close at once, because the CLI refuses a command. The reason may quote what people wrote, so it must not be
        logged."""
        self._refused = reason
        self.close(now=True)

    def end(self) -> None:
        """It accepts nothing more."""
        if self.state is not WorkerState.CLOSING:
            self.change(WorkerEvent.ENDED)

    def check(self) -> None:
        """Raise WorkerLost if it has ended."""
        if self.state is WorkerState.CLOSING:
            raise WorkerLost(self._refused or self._process.fault or "the CLI exited")
