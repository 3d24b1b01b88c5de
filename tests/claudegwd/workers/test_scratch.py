"""Scratch directories: private, separate, and gone."""

import os
import stat
import subprocess
import sys
from pathlib import Path

from claudegwd.workers.scratch import PREFIX, Scratch, remove


def test_each_worker_gets_one_of_its_own_that_nobody_else_reads(tmp_path: Path) -> None:
    scratch = Scratch.make(tmp_path)
    first, second = scratch.next(), scratch.next()
    assert first != second
    for path in (scratch.root, first, second):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    (first / "file").write_text("x")
    remove(first)
    assert not first.exists()
    assert second.exists()
    scratch.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_daemon_left_is_removed_and_a_living_ones_is_not(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = tmp_path / f"{PREFIX}dead"
    left.mkdir()
    (left / "owner.pid").write_text(dead.stdout.decode().strip())
    living = Scratch.make(tmp_path)
    stranger = tmp_path / f"{PREFIX}other"
    stranger.mkdir()  # no owner said: not ours to judge
    Scratch.make(tmp_path)
    assert not left.exists()
    assert living.root.exists()
    assert stranger.exists()
    assert int((living.root / "owner.pid").read_text()) == os.getpid()
