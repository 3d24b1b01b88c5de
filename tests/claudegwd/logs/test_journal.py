from __future__ import annotations

import os
import socket
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from claudegwd.logs.journal import Journal, is_our_stderr


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd-journald is to us: a datagram socket that may get descriptors."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "journal"))
        sock.settimeout(5)
        yield sock


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal")
    yield opened
    opened.close()


def test_a_datagram_goes_as_it_is(listener: socket.socket, journal: Journal) -> None:
    assert journal.send(b"MESSAGE=x\n")
    assert listener.recv(100) == b"MESSAGE=x\n"


def test_a_large_one_goes_as_a_sealed_file(listener: socket.socket, journal: Journal) -> None:
    large = b"MESSAGE=" + b"x" * 1_000_000 + b"\n"
    assert journal.send(large)
    data, passed, _, _ = listener.recvmsg(100, socket.CMSG_SPACE(4))
    assert data == b""
    ((_, kind, raw),) = passed
    assert kind == socket.SCM_RIGHTS
    descriptor = array("i", raw[:4])[0]
    with os.fdopen(descriptor, "rb") as file:
        assert os.fstat(descriptor).st_size == len(large)
        assert os.pread(descriptor, len(large), 0) == large
        with pytest.raises(PermissionError):
            os.truncate(f"/proc/self/fd/{file.fileno()}", 0)


def test_no_journal(journal: Journal) -> None:
    assert not journal.send(b"MESSAGE=x\n")


def test_a_journal_that_comes_back(tmp_path: Path, journal: Journal) -> None:
    assert not journal.send(b"lost")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "journal"))
        assert journal.send(b"MESSAGE=again\n")
        assert sock.recv(100) == b"MESSAGE=again\n"


def test_a_journal_that_hangs_does_not_hold_us(listener: socket.socket, journal: Journal) -> None:
    taken = 0
    while journal.send(b"x" * 1000):
        taken += 1
    # The queue is full, and nothing waits any more.
    assert not any(journal.send(b"x" * 1000) for _ in range(1000))
    assert listener.recv(2000) == b"x" * 1000
    assert taken > 0
    assert journal.send(b"again")


def test_whose_stderr_it_is(tmp_path: Path) -> None:
    with (tmp_path / "stderr").open("w") as file:
        found = os.fstat(file.fileno())
        env = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert is_our_stderr(env, file.fileno())
        assert not is_our_stderr({"JOURNAL_STREAM": "1:1"}, file.fileno())
        assert not is_our_stderr({}, file.fileno())
        number = file.fileno()
    assert not is_our_stderr(env, number)
