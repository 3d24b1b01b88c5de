"""Ends a process and its group, in steps of increasing force."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress

import trio


async def end_group(process: trio.Process, steps: Sequence[tuple[signal.Signals, float]]) -> bool:
    """In each step, signal the group and wait up to so many seconds, until it is reaped; the rest then gets SIGKILL.

    Returns whether anything was left. Call it shielded. The process must lead its own session.
    """
    for number, seconds in steps:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with trio.move_on_after(seconds):
                await process.wait()
    # The leader is gone; a grandchild may not be. The group's number is not reused while a member lives.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True
