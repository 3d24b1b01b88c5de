"""How much memory is left, and what a worker takes. Linux; elsewhere nothing is known and nothing is given up."""

from pathlib import Path

# Below this share of the machine's (or the cgroup's) memory, idle workers are given up, one a sweep.
SHORT_SHARE = 0.05

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
_PAGE_BYTES = 4096


def rss_bytes(pid: int | None) -> int:
    """Resident memory of a process in bytes; 0 where it cannot be known."""
    if pid is None:
        return 0
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0


def is_short() -> bool:
    """Whether memory is short, by the cgroup's limit or by the machine's available memory."""
    limit, used = _number(_CGROUP / "memory.max"), _number(_CGROUP / "memory.current")
    if limit and used is not None and limit - used < limit * SHORT_SHARE:
        return True
    total, available = _meminfo()
    return total > 0 and available < total * SHORT_SHARE


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
