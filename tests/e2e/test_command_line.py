"""The daemon's command line: what it checks, what keeps it from starting, and what the demo leaves."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.harness import GOOD_KEY, Daemon, free_port

pytestmark = pytest.mark.cli


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    daemon = Daemon("http://127.0.0.1:9")
    try:
        yield daemon
    finally:
        daemon.remove()


def checked(daemon: Daemon, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "claudegwd", "--config", str(daemon.config_file), "--check", *words]
    return subprocess.run(command, env=daemon.environment() | env, capture_output=True, text=True, check=False)


SHARED = '[shared]\nurl = "valkeys://127.0.0.1:1"\n{} = "nowhere"'


def test_a_check_tells_what_it_looked_at_and_what_it_noted(daemon: Daemon) -> None:
    done = checked(daemon, PORT="9000")
    assert (done.returncode, done.stderr) == (0, "")
    note, result = done.stdout.splitlines()
    assert note == 'note: PORT is set but ignored: set bind = ["127.0.0.1:PORT"] under [server]'
    assert result.startswith(f"ok: {daemon.config_file}, 1 key, CLI ")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("[server]\nbnd = []", "did you mean server.bind?"),
        ('[control]\ngroup = "no-such-group"', "control.group names a group that does not exist"),
        ('[claude]\nbinary = "/nowhere"', "claude.binary"),
        ('[keys]\nfile = "nowhere.json"', "cannot find the keys file"),
        (SHARED.format("password_file"), "shared.password_file names a file that cannot be read"),
        (SHARED.format("secret_file"), "shared.secret_file names a file that cannot be read"),
        (SHARED.format("ca_file"), "shared.ca_file is not a usable certificate file"),
    ],
)
def test_a_check_finds_what_would_keep_it_from_starting(daemon: Daemon, config: str, said: str) -> None:
    daemon.config_file.write_text(config + "\n")
    done = checked(daemon)
    assert (done.returncode, done.stdout) == (78, "")
    [line] = done.stderr.splitlines()
    assert said in line


def test_broken_keys_are_78_with_line_and_column(daemon: Daemon) -> None:
    daemon.keys_file.write_text('{"claude_api_keys": [\n  {"name": "a" "token": "' + GOOD_KEY + '"}]}')
    assert daemon.spawn().wait(30) == 78
    [line] = daemon.log().splitlines()
    assert f"cannot read {daemon.keys_file}: line 2, column 16: " in line
    assert GOOD_KEY not in line


@pytest.mark.parametrize("bind", ["nonsense", "127.0.0.1:99999", "[::1]"])
def test_a_wrong_option_is_named_as_such(daemon: Daemon, bind: str) -> None:
    daemon.config_file.touch()
    done = checked(daemon, "--bind", bind)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("claudegwd: cannot use the command line: --bind must be an address with a port")
    assert f'not "{bind}"' in done.stderr


def test_an_option_goes_before_file_and_environment(daemon: Daemon) -> None:
    daemon.config_file.write_text('[server]\nbind = ["nonsense"]')
    for binds in (["[::1]:8000"], ["[::1]:8000", "127.0.0.1:8000"]):
        words = [word for bind in binds for word in ("--bind", bind)]
        assert checked(daemon, *words, CLAUDEGWD_SERVER__BIND="[::2]:1,[::3]:1").returncode == 0


def test_a_port_in_use_is_1(daemon: Daemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        daemon.write_config(f'[server]\nbind = ["127.0.0.1:{other.getsockname()[1]}"]')
        assert daemon.spawn().wait(30) == 1
    [line] = daemon.log().splitlines()
    assert "another program uses this port; stop it" in line


def test_a_live_control_socket_is_1_and_stays(daemon: Daemon) -> None:
    daemon.start()
    second = Daemon("http://127.0.0.1:9", env={"CLAUDEGWD_SOCKET": str(daemon.socket)})
    try:
        assert second.spawn().wait(30) == 1
        [line] = second.log().splitlines()
        assert f"process {daemon.pid} is already running there; stop it" in line
    finally:
        second.remove()
    assert daemon.socket.is_socket()
    daemon.stop()


def test_the_demo_leaves_nothing(daemon: Daemon) -> None:
    temporary = daemon.home / "tmp"
    env = daemon.environment() | {"CLAUDEGWD_SERVER__BIND": f"127.0.0.1:{free_port()}"}
    command = [sys.executable, "-m", "claudegwd", "--demo"]
    demo = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=daemon.home)
    assert demo.stdout is not None
    with demo.stdout:
        assert demo.stdout.readline() == b"The demo gateway is ready. Try:\n"
        assert list(temporary.rglob("state.db"))
        os.kill(demo.pid, signal.SIGINT)
        demo.stdout.read()
    assert demo.wait(30) == 0
    assert not list(temporary.glob("claudegwd*"))
    assert not list(daemon.processes())


def test_streams_that_are_closed_are_no_error(daemon: Daemon) -> None:
    daemon.config_file.write_text("nonsense")
    command = f'exec "{sys.executable}" -m claudegwd --config "{daemon.config_file}" <&- 2>&-'
    done = subprocess.run(["/bin/sh", "-c", command], env=daemon.environment(), check=False)
    assert done.returncode == 78


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110 - a device
@pytest.mark.parametrize("option", ["--version", "--help", "--check"])
def test_a_full_disk_is_said_in_one_line(daemon: Daemon, option: str) -> None:
    command = [sys.executable, "-m", "claudegwd", "--config", str(daemon.config_file), option]
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            command, env=daemon.environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (
        1,
        "claudegwd: cannot write the output: No space left on device; check where it goes\n",
    )


def test_letters_that_the_locale_does_not_know_are_no_error(daemon: Daemon) -> None:
    odd = daemon.config_file.with_name("größer.toml")
    daemon.config_file.rename(odd)
    daemon.config_file = odd
    done = checked(daemon, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (done.returncode, done.stderr) == (0, "")
