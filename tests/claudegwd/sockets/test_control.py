from __future__ import annotations

import grp
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from claudegwd.config import ConfigError
from claudegwd.daemon.systemd import Inherited
from claudegwd.sockets.control import open_control
from claudegwd.sockets.problems import SocketError

NOBODY = 65534


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short: a socket's path has 103 bytes at most."""
    made = Path(tempfile.mkdtemp(prefix="cgw"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def path(directory: Path) -> Path:
    return directory / "control.sock"


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        try:
            sock.connect(str(path))
        except OSError:
            return False
        return True


def test_open_and_close(path: Path) -> None:
    with open_control(path) as control:
        found = path.stat()
        assert stat.S_ISSOCK(found.st_mode)
        assert stat.S_IMODE(found.st_mode) == 0o660
        assert found.st_gid == os.getegid()
        assert answers(path)
        assert not control.socket.getblocking()
        assert not control.socket.get_inheritable()
    assert sorted(each.name for each in path.parent.iterdir()) == ["control.sock.lock"]


def test_the_mode_does_not_depend_on_the_umask_and_leaves_it(path: Path) -> None:
    before = os.umask(0)
    try:
        with open_control(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert os.umask(0) == 0
    finally:
        os.umask(before)


def test_directories_are_made_for_us_alone(directory: Path) -> None:
    with open_control(directory / "a" / "b" / "control.sock"):
        assert stat.S_IMODE((directory / "a" / "b").stat().st_mode) == 0o700


def test_a_living_daemon_is_left_alone(path: Path) -> None:
    with open_control(path):
        with pytest.raises(SocketError, match=f"cannot start on the control socket {path}: process {os.getpid()} is"):
            open_control(path)
        assert answers(path)


def test_a_living_daemon_without_a_lock_is_left_alone(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(SocketError, match="another claudegwd is already running there"):
            open_control(path)
        assert answers(path)


def test_one_whose_queue_is_full_lives_too(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as waiting:
        other.bind(str(path))
        other.listen(0)
        waiting.connect(str(path))
        with pytest.raises(SocketError, match="another claudegwd is already running there"):
            open_control(path)


def test_a_stale_socket_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    with open_control(path):
        assert answers(path)


def test_something_else_at_the_path_is_not_touched(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(SocketError, match="something else is there"):
        open_control(path)
    assert path.read_text() == "precious"


def test_only_our_own_socket_is_removed(path: Path) -> None:
    control = open_control(path)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        control.close()
        assert answers(path)


def test_a_removed_socket_is_no_error_at_the_end(path: Path) -> None:
    control = open_control(path)
    path.unlink()
    control.close()
    control.close()


def test_after_a_failure_the_next_one_can_start(path: Path) -> None:
    path.write_text("x")
    with pytest.raises(SocketError):
        open_control(path)
    path.unlink()
    with open_control(path):
        assert answers(path)


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o1777])
def test_a_directory_that_others_may_write(directory: Path, mode: int) -> None:
    directory.chmod(mode)
    with pytest.raises(SocketError, match=r"others can write there; set control\.socket to a path in"):
        open_control(directory / "control.sock")


def test_a_path_that_is_too_long(directory: Path) -> None:
    with pytest.raises(SocketError, match="a socket path can have at most 103 bytes; choose"):
        open_control(directory / ("x" * 100))


def test_a_lock_that_is_a_link_is_not_followed(path: Path, directory: Path) -> None:
    (directory / "control.sock.lock").symlink_to(directory / "elsewhere")
    with pytest.raises(SocketError, match="cannot create "):
        open_control(path)
    assert not (directory / "elsewhere").exists()


def test_a_directory_that_cannot_be_made(directory: Path) -> None:
    (directory / "file").touch()
    with pytest.raises(SocketError, match="for the control socket: File exists"):
        open_control(directory / "file" / "control.sock")


def test_the_group(directory: Path) -> None:
    group = grp.getgrgid(os.getegid()) if os.geteuid() else grp.getgrnam("daemon")
    path = directory / "run" / "control.sock"
    with open_control(path, group.gr_name):
        assert path.stat().st_gid == group.gr_gid
        assert path.parent.stat().st_gid == group.gr_gid
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o710


def test_a_group_that_does_not_exist(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"control\.group names a group that does not exist"):
        open_control(path, "no-such-group")
    assert not path.exists()


def test_a_group_that_we_are_not_in(directory: Path) -> None:
    """Root may give a file to any group, so a child becomes nobody first."""
    os.chown(directory, NOBODY if os.geteuid() == 0 else -1, -1)
    group = next(each.gr_name for each in grp.getgrall() if each.gr_gid not in {NOBODY, os.getegid(), *os.getgroups()})
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            open_control(directory / "control.sock", group)
        except SocketError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    said = os.read(reading, 4096).decode()
    os.close(reading)
    os.close(writing)
    assert f'cannot give the control socket to the group "{group}"' in said
    assert sorted(each.name for each in directory.iterdir()) == ["control.sock.lock"]


def test_a_socket_unit_says_where_it_lies(path: Path, directory: Path) -> None:
    outside = directory / "outside.sock"
    with socket.socket(socket.AF_UNIX) as given:
        given.bind(str(outside))
        given.listen()
        inherited = [Inherited(os.dup(given.fileno()), "control")]
    with open_control(path, inherited=inherited) as control:
        assert control.path == outside
        assert answers(outside)
    # The manager made it, and keeps it.
    assert outside.exists()
    assert not path.exists()


@pytest.mark.parametrize("how", ["the socket", "the socket and its lock", "the directory"])
def test_a_removed_socket_is_opened_again(path: Path, how: str) -> None:
    with open_control(path) as control:
        assert control.is_there()
        before = control.socket
        if how == "the directory":
            shutil.rmtree(path.parent)
        else:
            for file in path.parent.glob("control.sock*" if how == "the socket and its lock" else "control.sock"):
                file.unlink()
        assert not control.is_there()
        control.open_again()
        assert control.is_there()
        assert answers(path)
        assert control.socket is not before
        assert before.fileno() == -1
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with pytest.raises(SocketError, match="already running"):
            open_control(path)
    assert not path.exists()
    with open_control(path):
        assert answers(path)


def test_a_socket_of_another_daemon_in_its_place_is_left_alone(path: Path) -> None:
    with open_control(path) as control:
        for file in path.parent.iterdir():
            file.unlink()
        with open_control(path) as other:
            assert not control.is_there()
            with pytest.raises(SocketError, match="already running"):
                control.open_again()
            assert other.is_there()
        control.open_again()
        assert answers(path)
