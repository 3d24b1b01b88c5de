"""Replacing files whole, and taking turns at it."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from claudegwd.atomic import FileBusy, FileState, edit_file, locked, put_file, read_state

LIMIT = 1000
COUNT_UP = """
import sys
from pathlib import Path
from claudegwd.atomic import edit_file
for _ in range(25):
    edit_file(Path(sys.argv[1]), lambda state: str(int(state.data) + 1).encode(), new_mode=0o600, limit=1000)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


def left(file: Path) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir())


def test_a_file_is_replaced_whole_with_its_mode(file: Path) -> None:
    assert put_file(file, b"one", 0o640)
    first = file.open("rb")
    assert put_file(file, b"two", 0o600)
    assert (first.read(), file.read_bytes(), file.stat().st_mode & 0o777) == (b"one", b"two", 0o600)
    assert left(file) == ["file"]
    first.close()


def test_the_new_content_can_be_looked_at_and_refused(file: Path) -> None:
    put_file(file, b"one", 0o600)
    assert not put_file(file, b"two", 0o600, may=lambda made: made.read_bytes() != b"two")

    def refuse(made: Path) -> None:
        raise ValueError(made.read_text())

    with pytest.raises(ValueError, match="three"):
        edit_file(file, lambda _: b"three", new_mode=0o600, limit=LIMIT, check=refuse)
    assert file.read_bytes() == b"one"
    assert left(file) == [".file.lock", "file"]


def test_a_write_that_fails_leaves_the_file_and_nothing_else(file: Path) -> None:
    file.write_bytes(b"one")
    program = "import resource, signal, sys; from pathlib import Path; from claudegwd.atomic import put_file\n"
    program += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
    program += "put_file(Path(sys.argv[1]), bytes(100), 0o600)"
    done = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr
    assert file.read_bytes() == b"one"
    assert left(file) == ["file"]


def test_processes_that_change_one_file_lose_nothing(file: Path) -> None:
    file.write_text("0")
    command = [sys.executable, "-c", COUNT_UP, str(file)]
    running = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert file.read_text() == "100"


def test_who_waits_too_long_says_so(file: Path) -> None:
    with (
        locked(file) as held,
        pytest.raises(FileBusy, match=r"^cannot lock .*: another program holds it"),
        locked(file, 0.01),
    ):
        raise AssertionError(f"two hold one lock: {held}")
    assert file.stat().st_mode & 0o777 == 0o600
    with locked(file, 0.01):
        pass


def test_a_lock_is_taken_over_when_its_holder_is_killed(file: Path) -> None:
    hold = "import sys; from pathlib import Path; from claudegwd.atomic import locked\n"
    hold += "with locked(Path(sys.argv[1])):\n    print(flush=True); sys.stdin.read()\n"
    command = [sys.executable, "-c", hold, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(FileBusy), locked(file, 0.01):
            pass
        process.kill()
    with locked(file, 1) as mine:
        fcntl.flock(mine, fcntl.LOCK_UN)


def test_a_missing_file_is_a_state_and_a_fifo_is_none(file: Path) -> None:
    assert read_state(file, limit=LIMIT) == FileState(None, 0, -1, -1)
    os.mkfifo(file)
    with pytest.raises(OSError, match="not a regular file"):
        read_state(file, limit=LIMIT)


def test_a_file_that_is_too_large_is_not_read(file: Path) -> None:
    file.write_bytes(b"x" * (LIMIT + 1))
    with pytest.raises(OSError, match=f"larger than {LIMIT} bytes"):
        read_state(file, limit=LIMIT)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_locks_the_owner_of_the_directory_can_lock_too(file: Path) -> None:
    os.chown(file.parent, 65534, 65534)
    with locked(file):
        assert (file.stat().st_uid, file.stat().st_gid) == (65534, 65534)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_but_a_file_of_roots_that_was_linked_there_is_not_given_away(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("root's")
    file.hardlink_to(other)
    os.chown(file.parent, 65534, 65534)
    with locked(file):
        assert other.stat().st_uid == 0
