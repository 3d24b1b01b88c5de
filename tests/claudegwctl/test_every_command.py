"""What holds for every command: how it ends when the daemon is not there, not ours, silent, or asked in a wrong way.

In this very process: each is a program's start otherwise."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from claudegwctl.main import COMMANDS, app, run
from tests.small_gateway import short_directory

# What each needs to be asked at all.
ARGUMENTS = {
    "approve": "x", "deny": "x", "keys add": "x", "keys remove": "x", "keys enable": "x", "keys disable": "x",
    "keys rename": "x y", "clients create": "x", "clients revoke": "x", "clients remove": "x", "clients rotate": "x",
    "clients set": "x --rpm 1", "config get": "workers.max", "cli use": "newest", "chat": "hello",
    "connect": "opencode", "top": "--json", "backup": "/nowhere/x",
}  # fmt: skip
# What works, or fails, without a daemon: it says so itself.
WITHOUT = {
    "doctor", "backup", "restore", "version", "keys import", "cli list", "cli try", "config path", "config set",
    "config edit", "workspaces add", "workspaces remove", "workspaces check", "login", "start", "stop", "restart",
    "install", "uninstall",
}  # fmt: skip


def leaves() -> Iterator[str]:
    """Every command that does something, by its words."""
    group = typer.main.get_command(app)
    for name in COMMANDS:
        command = group.get_command(None, name)  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        yield from (f"{name} {each}" for each in below) if below else (name,)


EVERY = list(leaves())
ASKING = [name for name in EVERY if name not in WITHOUT]


def asked(name: str, path: Path) -> int:
    return run(["--socket", str(path), *name.split(), *ARGUMENTS.get(name, "").split()])


def line_of(capsys: pytest.CaptureFixture[str]) -> str:
    """What was said, which is one line on stderr."""
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


@pytest.mark.parametrize("name", ASKING)
def test_where_no_daemon_runs(name: str, nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(name, nowhere) == 3
    assert line_of(capsys).startswith(f"cannot reach claudegwd at {nowhere}: it is not running; start it")


@pytest.mark.parametrize("name", EVERY)
def test_an_option_that_there_is_not(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*name.split(), "--no-such-option"]) == 2
    said = line_of(capsys)
    assert said.startswith(f"cannot run `claudegwctl {name}`: no such option: --no-such-option")
    assert f"`claudegwctl {name} --help`" in said


@contextmanager
def somebody_else() -> Iterator[None]:
    """Where we are root, who may do everything, we are nobody for a moment."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(mine)


@pytest.mark.parametrize("name", ASKING)
def test_a_daemon_that_is_not_ours(name: str, nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked(name, nowhere)  # from here on all that it needs is loaded
    capsys.readouterr()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(nowhere))
        server.listen()
        nowhere.chmod(0)
        nowhere.parent.chmod(0o755)
        with somebody_else():
            assert asked(name, nowhere) == 1
    assert line_of(capsys).startswith(f"cannot open {nowhere}: permission denied; join its group")


@pytest.fixture
def silent() -> Iterator[Path]:
    """A daemon that takes a request and says nothing; then somebody presses Ctrl-C."""
    with short_directory() as directory, socket.socket(socket.AF_UNIX) as server:
        path = directory / "control.sock"
        server.bind(str(path))
        server.listen()

        def interrupt() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1)
                os.kill(os.getpid(), signal.SIGINT)
                connection.recv(100_000)
                connection.recv(1)  # until it is gone

        thread = threading.Thread(target=interrupt, daemon=True)
        thread.start()
        yield path
        thread.join(10)


@pytest.mark.parametrize("name", [*ASKING, "backup", "version", "doctor"])
def test_ctrl_c(name: str, silent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(name, silent) == 130
    assert capsys.readouterr() == ("", "")
