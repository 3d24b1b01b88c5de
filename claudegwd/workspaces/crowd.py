"""The processes in our namespace, and their memory. From /proc, which may show others as well."""

import os
from typing import NamedTuple


class Process(NamedTuple):
    """One of ours. `pid` is its number in our namespace; `memory`: its bytes, shared or not, without what is only
    mapped from files."""

    pid: int
    memory: int


_COUNTED = ("RssAnon", "RssShmem", "VmSwap")
_KIB = 1024


def ours() -> "list[Process]":
    """All but the first, which is the caller."""
    own = os.stat("/proc/self/ns/pid").st_ino
    found = (_read(name) for name in os.listdir("/proc") if name.isdigit() and _namespace(name) == own)
    return [process for process in found if process is not None and process.pid != 1]


def excess(processes: "list[Process]", most: int, memory: int) -> "int | None":
    """What to kill: -1 (everything) if there are too many, the largest if they use too much memory. Pure."""
    if len(processes) > most:
        return -1
    if sum(process.memory for process in processes) > memory:
        return max(processes, key=lambda process: process.memory).pid
    return None


def _namespace(name: str) -> int:
    try:
        return os.stat(f"/proc/{name}/ns/pid").st_ino
    except OSError:
        return 0  # gone, or another user's


def _read(name: str) -> "Process | None":
    try:
        with open(f"/proc/{name}/status") as file:
            lines = dict(line.split(":", 1) for line in file if ":" in line)
        memory = sum(int(lines[each].split()[0]) * _KIB for each in _COUNTED if each in lines)
        return Process(int(lines["NSpid"].split()[-1]), memory)
    except (OSError, KeyError, ValueError):
        return None  # gone
