"""Starting a process in the background: it takes the processor only while nobody else wants it.

Linux; elsewhere a start is like any other. Nothing here may fail: priority is a favour to those who are being answered.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_CAP_SYS_NICE = 1 << 23
_NICE_LIMIT = 20  # RLIMIT_NICE counts from here down: 20 lets a process be as urgent as nice 0


def to_background(pid: int) -> None:
    """Give a process just started the lowest claim from which it can be brought back."""
    if hasattr(os, "sched_setscheduler"):
        # From SCHED_IDLE only who may raise priorities comes back. SCHED_BATCH is open to all: it interrupts nobody.
        _set(pid, os.SCHED_IDLE if _may_come_back() else os.SCHED_BATCH)


def to_foreground(pid: int) -> None:
    """Somebody waits for it now: give it, with all its threads, the usual claim."""
    if hasattr(os, "sched_setscheduler"):
        for thread in _threads(pid):
            _set(thread, os.SCHED_OTHER)


def _set(thread: int, policy: int) -> None:
    with suppress(OSError):  # it has ended, or a filter of system calls forbids it
        os.sched_setscheduler(thread, policy, os.sched_param(0))


def _threads(pid: int) -> Iterator[int]:
    with suppress(OSError):
        yield from (int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir())


def _may_come_back() -> bool:
    import resource  # not on every system

    if resource.getrlimit(resource.RLIMIT_NICE)[0] >= _NICE_LIMIT - os.getpriority(os.PRIO_PROCESS, 0):
        return True
    with suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text().partition("\nCapEff:")[2]
        return bool(int(status.split()[0], 16) & _CAP_SYS_NICE)
    return False
