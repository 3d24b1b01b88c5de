"""The default number of workers for a machine."""

import os
from typing import Final

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


def machine() -> tuple[int, int]:
    """Cores that we may use, and bytes of memory, 0 if unknown."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        return cores, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return cores, 0
