"""Ends a process and its group, in steps of increasing force."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress

import trio


async def end_group(process: trio.Process, steps: Sequence[tuple[signal.Signals, float]]) -> bool:
    """Signal its group and wait so many seconds, step by step until it is reaped; what is left then gets SIGKILL.

    Whether anything was left. Call it shielded. The process leads a session of its own.
    """
    for number, seconds in steps:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with trio.move_on_after(seconds):
                await process.wait()
    # The leader is gone; a grandchild may not be. The group's number stays taken while a member lives.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True
