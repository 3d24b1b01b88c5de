"""Scratch directories: private, separate, and gone."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

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


NOBODY = 65534
LEFT = {
    "a directory that is closed to its owner": "os.makedirs('a/b/c'); open('a/b/f', 'w'); os.chmod('a/b', 0); "
    "os.chmod('a', 0)",
    "one that may only be read": "os.makedirs('a/b'); open('a/f', 'w'); os.chmod('a', 0o400)",
    "one that may only be entered": "os.makedirs('a/b'); open('a/f', 'w'); os.chmod('a', 0o100)",
    "itself": "open('f', 'w'); os.chmod('.', 0)",
    "more levels than Python recurses": "for n in range(1200): os.mkdir('a'); os.chdir('a')\nopen('f', 'w')",
    "links": "os.symlink('../kept', 'a'); os.symlink('none', 'b'); os.mkdir('c'); os.symlink('../../kept', 'c/a')",
}


@pytest.fixture
def place() -> Iterator[Path]:
    """Where nobody in particular may write: root could remove anything."""
    path = Path(tempfile.mkdtemp())
    if os.getuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    yield path
    path.chmod(0o700)
    subprocess.run(["rm", "-rf", str(path)], check=True)


@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
def test_whatever_was_left_in_it_is_removed(place: Path, left: str) -> None:
    code = f"import os\nos.mkdir('kept')\nopen('kept/f', 'w')\nos.mkdir('w', 0o700)\nos.chdir('w')\n{left}"
    user = NOBODY if os.getuid() == 0 else None
    subprocess.run(["/usr/bin/env", "python3", "-c", code], cwd=place, user=user, check=True)
    pid = os.fork()
    if pid == 0:
        try:
            if user:
                os.setresuid(user, user, user)
            remove(place / "w")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert not (place / "w").exists()
    assert (place / "kept" / "f").exists()
