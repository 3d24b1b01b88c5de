"""A lifeline: when its holder dies, the kernel kills the process group at its other end.

A CLI in mid-turn does not notice the end of its stdin, and one that waits for a tool never exits (2.1.330). So it is
not enough that the daemon's pipes close after a `kill -9`. PR_SET_PDEATHSIG does not work here: it follows the thread
that forked, and trio's threads come and go.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from contextlib import suppress


class Lifeline:
    """A pipe whose write end is ours alone, and whose read end the child inherits through `passed`.

    Close it when the child is reaped. It does nothing except on Linux.
    """

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe() if sys.platform == "linux" else (-1, -1)

    @property
    def passed(self) -> tuple[int, ...]:
        """The descriptors that the child must keep open."""
        return (self._reading,) if self._reading >= 0 else ()

    def tie(self, group: int) -> None:
        """From now on the group gets SIGKILL when the write end closes, however this process ends.

        The kernel holds the group itself, not its number, so a later group with the same number is safe.
        """
        if sys.platform == "linux":
            with suppress(OSError):  # a sandbox's kernel that does not support it
                fcntl.fcntl(self._reading, fcntl.F_SETOWN, -group)
                fcntl.fcntl(self._reading, fcntl.F_SETSIG, signal.SIGKILL)  # instead of SIGIO
                fcntl.fcntl(self._reading, fcntl.F_SETFL, os.O_ASYNC)
            os.close(self._reading)
            self._reading = -1

    def close(self) -> None:
        for descriptor in (self._reading, self._writing):
            if descriptor >= 0:
                os.close(descriptor)
