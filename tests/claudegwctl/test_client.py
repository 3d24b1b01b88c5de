from __future__ import annotations

import os
import socket as sockets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread

import pytest
import trio

from claudegwctl.client import Daemon, quoted
from claudegwctl.problems import NotRunning, Problem, Refused
from claudegwd.logs import LogEntry
from tests.control_cli import ctl
from tests.small_gateway import SmallGateway

JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"


@contextmanager
def answering(path: Path, answer: bytes) -> Iterator[Daemon]:
    """Somebody on the socket who says `answer` to whatever is asked, and hangs up."""
    with sockets.socket(sockets.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        yield Daemon(path)
        thread.join()


async def test_asking_the_real_one(socket: Path) -> None:
    daemon = Daemon(socket)
    assert (await trio.to_thread.run_sync(daemon.get, "/v1/status"))["state"] == "ready"
    done = await trio.to_thread.run_sync(daemon.ask, "POST", "/v1/rotate", {"to": "second"})
    assert done == {"from": "primary", "to": "second"}
    with pytest.raises(Refused, match="cannot find key 'x'") as caught:
        await trio.to_thread.run_sync(daemon.ask, "POST", "/v1/rotate", {"to": "x"})
    assert caught.value.code == "not_found"


async def test_a_stream_of_lines(gateway: SmallGateway, socket: Path) -> None:
    for number in range(300):
        gateway.logs.append(LogEntry(0.0, "info", "claudegwd", "größer " * 20, {"count": number}))
    read = partial(Daemon(socket).lines, "/v1/logs", {"lines": 2000}, follow=False)
    lines = await trio.to_thread.run_sync(lambda: list(read()))
    assert [line["count"] for line in lines] == list(range(300))


@pytest.mark.parametrize(
    "answer",
    [
        JSON_HEAD + b'{"a": 1}',
        b'HTTP/1.1 200 OK\r\n\r\n{"a": 1}',
        b'HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\r\n{"a\r\n5\r\n": 1}\r\n0\r\n\r\n',
    ],
    ids=["length", "close", "chunks"],
)
def test_the_ways_of_a_body(nowhere: Path, answer: bytes) -> None:
    with answering(nowhere, answer) as daemon:
        assert daemon.get("/v1/x") == {"a": 1}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1",
        b"rubbish\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        JSON_HEAD + b'{"a"',
        JSON_HEAD + b"not json",
        JSON_HEAD + b"[1, 2,3]",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n{",
    ],
)
def test_an_answer_that_breaks_off(nowhere: Path, answer: bytes) -> None:
    with answering(nowhere, answer) as daemon, pytest.raises(Problem, match="cannot read the answer") as caught:
        daemon.get("/v1/x")
    assert caught.value.exit_code == 1


def test_a_refusal_without_a_reason(nowhere: Path) -> None:
    with (
        answering(nowhere, b"HTTP/1.1 502 x\r\n\r\n<html>") as daemon,
        pytest.raises(Refused, match="cannot do this: claudegwd answered with status 502"),
    ):
        daemon.get("/v1/x")


def test_an_answer_that_does_not_come(nowhere: Path) -> None:
    with sockets.socket(sockets.AF_UNIX) as listener:
        listener.bind(str(nowhere))
        listener.listen()
        with pytest.raises(Problem, match=r"cannot get an answer from claudegwd within 0\.05 s"):
            Daemon(nowhere).ask("GET", "/v1/x", seconds=0.05)


def test_nobody_is_there(nowhere: Path) -> None:
    with pytest.raises(NotRunning) as caught:
        Daemon(nowhere).get("/v1/status")
    assert caught.value.exit_code == 3
    with sockets.socket(sockets.AF_UNIX) as dead:
        dead.bind(str(nowhere))
    with pytest.raises(NotRunning):
        Daemon(nowhere).get("/v1/status")


def test_a_path_that_is_too_long() -> None:
    with pytest.raises(Problem, match="cannot reach claudegwd at "):
        Daemon(Path("/tmp/" + "x" * 200)).get("/v1/status")


def test_a_socket_that_is_closed_to_us(nowhere: Path) -> None:
    """Root may open everything, so a child becomes nobody first."""
    with sockets.socket(sockets.AF_UNIX) as listener:
        listener.bind(str(nowhere))
        listener.listen()
        nowhere.chmod(0)
        nowhere.parent.chmod(0o755)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                if os.geteuid() == 0:
                    os.setuid(65534)
                Daemon(nowhere).get("/v1/status")
            except Problem as problem:
                os.write(writing, f"{problem.exit_code} {problem}".encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        said = os.read(reading, 4096).decode()
        os.close(reading)
        os.close(writing)
    assert said.startswith(f"1 cannot open {nowhere}: permission denied; join its group")


def test_names_in_paths() -> None:
    assert quoted("a/b größe?") == "a%2Fb%20gr%C3%B6%C3%9Fe%3F"


def test_a_path_that_no_socket_may_have(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="a socket path can have at most"):
        Daemon(tmp_path / ("x" * 200)).get("/v1/status")


@contextmanager
def stopped(path: Path) -> Iterator[Daemon]:
    """A daemon that the kernel takes connections for, and that does not run (SIGSTOP)."""
    with sockets.socket(sockets.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield Daemon(path)


@pytest.mark.parametrize("follow", [False, True])
def test_a_daemon_that_is_stopped_is_not_waited_for_without_end(nowhere: Path, follow: bool) -> None:
    with stopped(nowhere) as daemon, pytest.raises(Problem, match=r"^cannot get an answer from claudegwd within 0.1 s"):
        next(daemon.lines("/v1/logs", {}, follow=follow, seconds=0.1))


async def test_nor_is_it_by_completion(nowhere: Path) -> None:
    with stopped(nowhere), trio.fail_after(20):
        words = {"COMP_WORDS": "claudegwctl keys remove s", "COMP_CWORD": "3", "CLAUDEGWD_SOCKET": str(nowhere)}
        done = await ctl(nowhere, _CLAUDEGWCTL_COMPLETE="complete_bash", **words)
    assert done.out.strip() == ""
