"""Priorities: first running answers, then starts that a request waits for, then what nobody waits for.

A CLI takes half a second of processor time to start. Several at once would leave little for the daemon, which needs a
fraction of a millisecond to keep all other answers running; a spare gets only idle time. So does a process at rest,
whose garbage collections would slow running answers. Linux only; elsewhere every process has normal priority. Nothing
here may fail: priority is an optimization.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

START_NICE = 5  # a third of our share
SPARE_NICE = 19  # the lowest priority

# A thread that was not raised yet may have started another, which has its low priority.
_LOOKS = 4

_CAP_SYS_NICE = 1 << 23
_CAP_SYS_ADMIN = 1 << 21
_NICE_LIMIT = 20  # RLIMIT_NICE counts down from here: 20 lets a process return to nice 0


def to_background(pid: int) -> None:
    """Give a process, with all its threads, the lowest priority from which it can be brought back."""
    if hasattr(os, "sched_setscheduler"):
        # Leaving SCHED_IDLE needs the right to raise priorities. SCHED_BATCH needs none, and preempts nothing.
        policy = os.SCHED_IDLE if _may_come_back() else os.SCHED_BATCH
        for thread in _threads(pid):
            _set(thread, policy)
        _share_of_session(pid, SPARE_NICE)


def behind_us(pid: int) -> None:
    """Give a process that has just started a lower priority than ours, if it can be brought back."""
    if hasattr(os, "sched_setscheduler") and _may_come_back():
        _be_nice(pid, START_NICE)
        _share_of_session(pid, START_NICE)


def to_foreground(pid: int) -> None:
    """It has started, or a request waits for it: give it, with all its threads, the normal priority."""
    if hasattr(os, "sched_setscheduler"):
        raised: set[int] = set()
        for _ in range(_LOOKS):
            new = set(_threads(pid)) - raised
            if not new:
                break
            for thread in new:
                _set(thread, os.SCHED_OTHER)
                _be_nice(thread, 0)
            raised |= new
        _share_of_session(pid, 0)


def _be_nice(thread: int, more: int) -> None:
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, 0) + more, SPARE_NICE))


def _share_of_session(pid: int, nice: int) -> None:
    # Outside a cgroup with its own share, Linux may give every session the same share, whatever the nice values in it.
    # Anyone may ask for another share, but not often; only with CAP_SYS_ADMIN can we be sure to get it back.
    if _capabilities() & _CAP_SYS_ADMIN:
        with suppress(OSError):
            Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def _set(thread: int, policy: int) -> None:
    with suppress(OSError):  # it has ended, or a seccomp filter forbids it
        os.sched_setscheduler(thread, policy, os.sched_param(0))


def _threads(pid: int) -> Iterator[int]:
    with suppress(OSError):
        yield from (int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir())


@cache
def _may_come_back() -> bool:
    import resource  # not on every system

    if resource.getrlimit(resource.RLIMIT_NICE)[0] >= _NICE_LIMIT - os.getpriority(os.PRIO_PROCESS, 0):
        return True
    return bool(_capabilities() & _CAP_SYS_NICE)


@cache
def _capabilities() -> int:
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/status").read_text().partition("\nCapEff:")[2].split()[0], 16)
    return 0
