"""Background tasks that are restarted when they fail, and whose failures do not end anything else."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from claudegwd.logs import event, log

# The pause before a failed task restarts doubles from the first value to the last: each failure writes a log line, and
# a task that has failed once may fail again at once.
PAUSE_FIRST_SECONDS: Final = 1.0
PAUSE_LAST_SECONDS: Final = 60.0


async def supervised(task: Callable[[], Awaitable[None]], name: str) -> None:
    """Run `task`, and restart it after a pause whenever it raises an unexpected Exception.

    Only for tasks of the whole daemon that can be restarted at any time. Cancellation is passed on; a task that returns
    is not restarted.
    """
    pause = PAUSE_FIRST_SECONDS
    while True:
        began = trio.current_time()
        try:
            return await task()
        except Exception as error:  # noqa: BLE001 - a boundary: the daemon continues without it
            text = "a background task failed unexpectedly; it is restarted"
            event(log, logging.ERROR, text, kind=name, seconds=pause, cause=error)
        if trio.current_time() - began > PAUSE_LAST_SECONDS:
            pause = PAUSE_FIRST_SECONDS  # it had recovered from earlier failures
        await trio.sleep(pause)
        pause = min(2 * pause, PAUSE_LAST_SECONDS)
