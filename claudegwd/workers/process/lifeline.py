"""A lifeline: when its holder dies, the kernel kills the process group at its other end.

A CLI that is mid-turn does not notice the end of its stdin, and one that waits for a tool never exits (2.1.330). So it
is not enough that the daemon's pipes close after a `kill -9`. PR_SET_PDEATHSIG does not work here: it follows the
thread that forked, and trio's threads come and go.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from contextlib import suppress


class Lifeline:
    """A pipe whose writing end is ours alone, and whose reading end the child inherits by `passed`.

    Close it when the child is reaped. Outside Linux there is no such thing: it does nothing.
    """

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe() if sys.platform == "linux" else (-1, -1)

    @property
    def passed(self) -> tuple[int, ...]:
        """The descriptors that the child has to keep open."""
        return (self._reading,) if self._reading >= 0 else ()

    def tie(self, group: int) -> None:
        """From now on the group gets SIGKILL when the writing end is closed, by whatever end of this process.

        The kernel keeps the group itself, not its number, so nobody who gets the number later is meant.
        """
        if sys.platform == "linux":
            with suppress(OSError):  # a sandbox's kernel that does not know it
                fcntl.fcntl(self._reading, fcntl.F_SETOWN, -group)
                fcntl.fcntl(self._reading, fcntl.F_SETSIG, signal.SIGKILL)  # instead of SIGIO
                fcntl.fcntl(self._reading, fcntl.F_SETFL, os.O_ASYNC)
            os.close(self._reading)
            self._reading = -1

    def close(self) -> None:
        for descriptor in (self._reading, self._writing):
            if descriptor >= 0:
                os.close(descriptor)
