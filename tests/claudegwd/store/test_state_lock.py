"""One daemon for a state directory, and a sentence that names it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from trio.testing import MockClock

from claudegwd.contract import STATE_LOCK_NAME
from claudegwd.store.database import StateError
from claudegwd.store.state_lock import StateLock

HOLDER = """
import sys, trio
from pathlib import Path
from claudegwd.store.state_lock import StateLock
async def main():
    await StateLock(Path(sys.argv[1])).take()
    print("held", flush=True)
    await trio.sleep_forever()
trio.run(main)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock."""
    started = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "held\n"
    yield started
    started.kill()
    started.wait()
    started.stdout.close()


async def test_who_holds_it_is_named(tmp_path: Path, other: subprocess.Popen[str], autojump_clock: MockClock) -> None:
    with pytest.raises(StateError, match=f"cannot use the state in {tmp_path}: process {other.pid} is using it"):
        await StateLock(tmp_path).take()


async def test_it_is_waited_for(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    lock = StateLock(tmp_path)
    os.kill(other.pid, signal.SIGKILL)  # however it ends, the lock ends with it
    await lock.take(30)
    assert (tmp_path / STATE_LOCK_NAME).read_text() == str(os.getpid())
    lock.close()


async def test_the_directory_is_made_for_us_alone(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "state"
    lock = StateLock(directory)
    await lock.take()
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / STATE_LOCK_NAME).stat().st_mode & 0o777 == 0o600
    lock.close()
    await StateLock(directory).take()  # let go


async def test_without_a_place_for_it_the_daemon_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lock = StateLock(tmp_path / "file" / "state")
    await lock.take()
    lock.hold()
    lock.close()


async def test_a_removed_file_is_taken_anew(tmp_path: Path) -> None:
    lock = StateLock(tmp_path)
    await lock.take()
    lock.hold()
    (tmp_path / STATE_LOCK_NAME).unlink()
    lock.hold()
    with pytest.raises(StateError):
        await StateLock(tmp_path).take(0.1)
    lock.close()


async def test_another_daemon_that_came_meanwhile_is_told_of(tmp_path: Path) -> None:
    lock = StateLock(tmp_path)
    await lock.take()
    (tmp_path / STATE_LOCK_NAME).unlink()
    later = StateLock(tmp_path)
    await later.take()
    with pytest.raises(StateError, match="has started to use it"):
        lock.hold()
    later.close()
    lock.hold()
    with pytest.raises(StateError):
        await StateLock(tmp_path).take(0.1)
    lock.close()
