from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from claudegwd.daemon import systemd
from claudegwd.daemon.systemd import Inherited


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ({}, []),
        ({"LISTEN_FDS": "1"}, []),
        ({"LISTEN_PID": "8", "LISTEN_FDS": "1"}, []),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "-1"}, []),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "1000000"}, []),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "0"}, []),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "2"}, [(3, ""), (4, "")]),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "tcp-a:control"}, [(3, "tcp-a"), (4, "control")]),
    ],
)
def test_descriptors_from_the_manager(env: dict[str, str], found: list[tuple[int, str]]) -> None:
    assert systemd.inherited(env, 7) == tuple(Inherited(number, name) for number, name in found)


def test_the_variables_go_once_read() -> None:
    env = {"LISTEN_PID": "7", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x", "PATH": "/bin"}
    systemd.forget_inherited(env)
    assert env == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("env", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_how_often_to_say_that_we_live(env: dict[str, str], seconds: float | None) -> None:
    assert systemd.watchdog_interval(env, 7) == seconds


def test_texts() -> None:
    assert systemd.ready_text("3 keys,\n2 workers ") == "READY=1\nSTATUS=3 keys, 2 workers"
    assert systemd.stopping_text("draining") == "STOPPING=1\nSTATUS=draining"
    assert systemd.extend_text(2.5) == "EXTEND_TIMEOUT_USEC=2500000"
    assert systemd.keep_text("tcp-x") == "FDSTORE=1\nFDNAME=tcp-x"
    assert systemd.forget_text("tcp-x") == "FDSTOREREMOVE=1\nFDNAME=tcp-x"


# As a program, because sdnotify reads the environment of its own process.
SPEAKER = """
import socket
from claudegwd.daemon.systemd import Notifier
notifier = Notifier()
with socket.create_server(("127.0.0.1", 0)) as sock:
    notifier.keep("tcp-x", sock)
    notifier.ready("ready")
    notifier.alive()
    notifier.status("busy")
    notifier.extend(5)
    notifier.forget("tcp-x")
    notifier.stopping("draining")
    print(notifier.listens, sock.getsockname()[1])
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


def speak(address: str | None) -> list[str]:
    env = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
    if address is not None:
        env["NOTIFY_SOCKET"] = address
    done = subprocess.run([sys.executable, "-c", SPEAKER], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_the_manager_hears_us(manager: socket.socket) -> None:
    heard, port = speak(str(manager.getsockname()))
    assert heard == "True"
    first, passed, _, _ = manager.recvmsg(1000, socket.CMSG_SPACE(4))
    assert first == b"FDSTORE=1\nFDNAME=tcp-x"
    with socket.socket(fileno=array("i", passed[0][2][:4])[0]) as kept:
        assert kept.getsockname()[1] == int(port)
    assert [manager.recv(1000) for _ in range(6)] == [
        b"READY=1\nSTATUS=ready",
        b"WATCHDOG=1",
        b"STATUS=busy",
        b"EXTEND_TIMEOUT_USEC=5000000",
        b"FDSTOREREMOVE=1\nFDNAME=tcp-x",
        b"STOPPING=1\nSTATUS=draining",
    ]


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    assert speak(None)[0] == "False"
    assert speak(str(tmp_path / "absent"))[0] == "False"


def test_the_mark_of_the_watchdog_is_read_once(tmp_path: Path) -> None:
    assert systemd.take_watchdog_mark(tmp_path) is None
    mark = tmp_path / systemd.WATCHDOG_MARK
    mark.touch()
    os.utime(mark, (5.0, 7.0))
    assert systemd.take_watchdog_mark(tmp_path) == 7.0
    assert systemd.take_watchdog_mark(tmp_path) is None
    assert systemd.take_watchdog_mark(tmp_path / "absent") is None


@pytest.mark.parametrize("unit", ["claudegwd.service", "user/claudegwd.service"])
@pytest.mark.parametrize("result", ["watchdog", "success", "signal"])
def test_the_units_leave_the_mark_for_nothing_but_the_watchdog(tmp_path: Path, unit: str, result: str) -> None:
    text = (Path(__file__).parents[3] / "packaging" / "systemd" / unit).read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("ExecStopPost=")]
    command = shlex.split(line.partition("=")[2].removeprefix("-").replace("$$", "$"))
    directory = tmp_path / ".local" / "state" / "claudegwd"
    directory.mkdir(parents=True)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SERVICE_RESULT": result}
    env |= {} if "user" in unit else {"STATE_DIRECTORY": str(directory)}
    assert subprocess.run(command, env=env, check=False).returncode == 0
    assert (systemd.take_watchdog_mark(directory) is not None) == (result == "watchdog")
