"""What a daemon's CLI processes are given, as the kernel tells it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.e2e.daemon_process import Daemon


@dataclass(frozen=True)
class Child:
    """One CLI process: command line, environment, working directory, what is open, and the files of its own."""

    pid: int
    argv: bytes
    environ: dict[str, str]
    cwd: Path
    descriptors: dict[int, str]
    files: dict[Path, bytes]

    @property
    def everything(self) -> bytes:
        """All of it in one piece, to search through."""
        names = [*map(str, self.files), str(self.cwd), *(f"{name}={value}" for name, value in self.environ.items())]
        return b"\n".join([self.argv, *self.files.values(), *(name.encode() for name in names)])


def children(daemon: Daemon) -> list[Child]:
    """Those that live now, without one that has just been forked and is still the daemon's image."""
    found = []
    own = Path(f"/proc/{daemon.pid}/cmdline").read_bytes()
    for pid, _ in daemon.processes():
        proc = Path(f"/proc/{pid}")
        try:
            if pid != daemon.pid and int((proc / "stat").read_text().rpartition(")")[2].split()[1]) == daemon.pid:
                child = _child(pid, proc)
                found += [child] if child.argv != own else []
        except OSError:
            continue  # it ended just now
    return found


def _child(pid: int, proc: Path) -> Child:
    lines = (proc / "environ").read_bytes().decode(errors="replace").split("\0")
    environ = {name: value for name, _, value in (line.partition("=") for line in lines if line)}
    cwd = (proc / "cwd").readlink()
    descriptors = {int(entry.name): str(entry.readlink()) for entry in (proc / "fd").iterdir()}
    files = {path: path.read_bytes() for path in cwd.rglob("*") if path.is_file()}
    return Child(pid, (proc / "cmdline").read_bytes(), environ, cwd, descriptors, files)
