"""The default number of workers for a machine."""

import os
from collections.abc import Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Final

MEMBERSHIP: Final = Path("/proc/self/cgroup")
_CGROUP: Final = Path("/sys/fs/cgroup")

# Workers mostly wait for the upstream: one that answers as fast as it can keeps a fifth of a core busy.
WORKERS_PER_CORE: Final = 4
# The memory of a worker that has served for a while; half of the machine's memory is left to other programs.
WORKER_BYTES: Final = 300 * 1024 * 1024
LEAST_WORKERS: Final = 4
MOST_WORKERS: Final = 64


def workers_for(cores: int, memory_bytes: int) -> int:
    """The default of workers.max. `memory_bytes` 0: unknown."""
    by_memory = memory_bytes // 2 // WORKER_BYTES if memory_bytes else MOST_WORKERS
    return max(LEAST_WORKERS, min(cores * WORKERS_PER_CORE, by_memory, MOST_WORKERS))


def machine(groups: Sequence[Path] | None = None) -> tuple[int, int]:
    """Cores that we may use, and bytes of memory, 0 if unknown. `groups`: directories of the cgroups that limit us, as
    in a container; None: our own and those around it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        memory = 0
    for group in groups_of(MEMBERSHIP) if groups is None else groups:
        with suppress(OSError, ValueError):  # "max", or no such file
            quota, period = (group / "cpu.max").read_text().split()
            cores = min(cores, max(1, ceil(int(quota) / int(period))))
        with suppress(OSError, ValueError):
            limit = int((group / "memory.max").read_text())
            memory = min(memory or limit, limit)
    return cores, memory


def groups_of(membership: Path) -> list[Path]:
    """Our cgroup (v2) and its ancestors, from a file such as /proc/self/cgroup."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    for line in lines:
        if line.startswith("0::/"):
            own = _CGROUP / line.removeprefix("0::/")
            return [own, *(parent for parent in own.parents if parent.is_relative_to(_CGROUP))]
    return []
