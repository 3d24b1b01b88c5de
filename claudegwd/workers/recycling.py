"""Clearing a used worker for another conversation of the same client, by the CLI's own /clear."""

import trio

from claudegwd.claude_cli import commands
from claudegwd.workers.worker import Worker, WorkerLost

CLEAR_SECONDS = 5.0  # seen: 25 ms


async def recycle(worker: Worker) -> None:
    """Start a new session in the worker's process. Raises WorkerLost unless the new session was seen to begin."""
    before = worker.session_id
    with trio.move_on_after(CLEAR_SECONDS):
        await worker.append(commands.clear())
        if worker.session_id != before:
            return
    raise WorkerLost("the CLI did not begin a new session")
