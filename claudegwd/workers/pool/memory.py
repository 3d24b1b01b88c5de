"""Free memory, and a worker's memory. Linux only; elsewhere it is unknown, and no worker is ended to free memory."""

import os
from pathlib import Path

from claudegwd.config.machine import MEMBERSHIP, groups_of

# If less than this share of the machine's (or the cgroup's) memory is available, idle workers are ended, one per sweep.
SHORT_SHARE = 0.05

_MEMINFO = Path("/proc/meminfo")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")  # 16 KiB or more on some ARM machines


def rss_bytes(pid: int | None) -> int:
    """Resident memory of a process in bytes; 0 where it cannot be known."""
    if pid is None:
        return 0
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0


def is_short() -> bool:
    """Whether memory is short: the machine's, or what a limit (MemoryMax=) on us or an enclosing slice leaves."""
    total, available = _meminfo()
    if total > 0 and available < total * SHORT_SHARE:
        return True
    return any(is_group_short(group) for group in groups_of(MEMBERSHIP))


def is_group_short(group: Path) -> bool:
    """Whether the cgroup in this directory is near its limit; False if it has none."""
    limit, used = _number(group / "memory.max"), _number(group / "memory.current")
    # File pages count as used there, including the CLI's 370 MB; they are reclaimed before anything is killed.
    return limit is not None and used is not None and limit - used + _pages_of_files(group) < limit * SHORT_SHARE


def _pages_of_files(group: Path) -> int:
    try:
        lines = (group / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line[5:]) for line in lines if line.startswith("file ")), 0)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None  # "max", or no such file


def _meminfo() -> tuple[int, int]:
    values = {}
    try:
        for line in _MEMINFO.read_text().splitlines():
            name, _, rest = line.partition(":")
            values[name] = int(rest.split()[0])
    except (OSError, ValueError, IndexError):
        return 0, 0
    return values.get("MemTotal", 0), values.get("MemAvailable", 0)
