"""Scratch directories of the workers: HOME and working directory of one process each, 0700, gone with it."""

import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "claudegwd-"
_OWNER = "owner.pid"


class Scratch:
    """One directory of the daemon's, with one below it for each process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._number = 0

    @classmethod
    def make(cls, parent: Path | None = None) -> "Scratch":
        """A new directory, of this user only. What an earlier daemon left behind when it was killed is removed."""
        place = parent or Path(tempfile.gettempdir())
        _remove_orphans(place)
        root = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        (root / _OWNER).write_text(str(os.getpid()))
        return cls(root)

    def next(self) -> Path:
        """A new empty directory."""
        self._number += 1
        path = self.root / f"worker-{self._number}"
        path.mkdir(mode=0o700)
        return path

    def remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


def remove(path: Path) -> None:
    """Remove one worker's directory. Blocking: some ten small files."""
    shutil.rmtree(path, ignore_errors=True)


def _remove_orphans(place: Path) -> None:
    for path in place.glob(f"{PREFIX}*"):
        try:
            if path.stat().st_uid != os.getuid() or path.is_symlink():
                continue
            owner = int((path / _OWNER).read_text())
        except (OSError, ValueError):
            continue
        if not Path(f"/proc/{owner}").exists() and Path("/proc/self").exists():
            remove(path)
