"""Scratch directories: private, separate, and gone."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

from claudegwd.workers.process.scratch import PREFIX, Scratch, remove


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
    """Also where the living one's process cannot be seen: its lock tells."""
    code = "import os, pathlib; from claudegwd.workers.process.scratch import Scratch; "
    code += f"S = Scratch.make(pathlib.Path({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", f"{code}; os._exit(9)"], check=False)
    [left] = tmp_path.iterdir()
    living = Scratch.make(tmp_path)
    assert not left.exists()
    stranger = tmp_path / f"{PREFIX}other"
    stranger.mkdir()  # no lock in it: not ours to judge, or just being made
    subprocess.run([sys.executable, "-c", f"{code}; S.remove()"], check=True)
    assert living.root.exists()
    assert stranger.exists()
    living.remove()
    assert list(tmp_path.iterdir()) == [stranger]


def test_a_root_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    scratch = Scratch.make(tmp_path)
    first = scratch.root
    shutil.rmtree(first)  # what a cleaner of temporary directories does
    path = scratch.next()
    assert path.is_dir()
    assert scratch.root != first
    assert stat.S_IMODE(scratch.root.stat().st_mode) == 0o700
    scratch.remove()
    assert not list(tmp_path.iterdir())
