from __future__ import annotations

import getpass
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from claudegwctl.commands.login import command_line, owner, will_use
from claudegwctl.problems import Problem
from tests.control_cli import Done, ctl_without_daemon, environment


def fake_cli(folder: Path, status: int = 0) -> Path:
    """A CLI that says how it was called."""
    cli = folder / "claude"
    cli.write_text(f'#!/bin/sh\necho "called $*"\nexit {status}\n')
    cli.chmod(0o755)
    return cli


def at_a_terminal(*arguments: str, **env: str) -> Done:
    """The control CLI with a terminal for its input."""
    leader, follower = pty.openpty()
    with os.fdopen(leader, "wb"), os.fdopen(follower, "rb") as terminal:
        done = subprocess.run(
            [sys.executable, "-m", "claudegwctl", *arguments],
            env=environment(**env), capture_output=True, text=True, check=False, stdin=terminal,
        )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(("option", "called"), [((), "auth login"), (("--token",), "setup-token")])
def test_the_clis_own_login_is_run(nowhere: Path, tmp_path: Path, option: tuple[str, ...], called: str) -> None:
    cli = fake_cli(tmp_path)
    done = at_a_terminal("--socket", str(nowhere), "login", *option, CLAUDEGWD_CLAUDE__BINARY=str(cli))
    assert done.status == 0
    first, last = done.out.splitlines()
    assert first == f"called {called}"
    assert ("CLAUDE_CODE_OAUTH_TOKEN" in last) == bool(option)


def test_the_clis_words_are_not_in_the_json(nowhere: Path, tmp_path: Path) -> None:
    done = at_a_terminal("--socket", str(nowhere), "login", "--json", CLAUDEGWD_CLAUDE__BINARY=str(fake_cli(tmp_path)))
    assert (done.json["user"], done.err) == (getpass.getuser(), "called auth login\n")


def test_without_a_terminal_nobody_waits(nowhere: Path, tmp_path: Path) -> None:
    (tmp_path / "claude").write_text("#!/bin/sh\ntouch called; sleep 60\n")
    (tmp_path / "claude").chmod(0o755)
    done = ctl_without_daemon("--socket", str(nowhere), "login", CLAUDEGWD_CLAUDE__BINARY=str(tmp_path / "claude"))
    assert (done.status, done.err.split(",")[0]) == (1, "cannot log in without a terminal")


def test_a_login_that_fails_and_a_cli_that_is_not_there(nowhere: Path, tmp_path: Path) -> None:
    cli = fake_cli(tmp_path, status=3)
    done = at_a_terminal("--socket", str(nowhere), "login", CLAUDEGWD_CLAUDE__BINARY=str(cli))
    assert (done.status, "status 3" in done.err) == (1, True)
    done = at_a_terminal("--socket", str(nowhere), "login", CLAUDEGWD_CLAUDE__BINARY="/nowhere/claude")
    assert (done.status, "cannot run /nowhere/claude" in done.err) == (1, True)


def test_whose_login_it_is() -> None:
    assert owner(None, os.geteuid()) == getpass.getuser()
    assert owner({"pid": os.getpid()}, 0) == getpass.getuser()
    assert owner({"pid": 2**30}, 0) == "root"
    cli = Path("/opt/claude")
    assert command_line(cli, "root", 0, token=False) == ["/opt/claude", "auth", "login"]
    assert command_line(cli, "daemon", 0, token=True)[:4] == ["runuser", "-u", "daemon", "--"]
    with pytest.raises(Problem, match=r"use sudo"):
        command_line(cli, "root", 1, token=False)


def test_a_user_without_a_name() -> None:
    assert owner(None, 4_000_000) == "4000000"
    assert command_line(Path("/opt/claude"), "4000000", 4_000_000, token=False) == ["/opt/claude", "auth", "login"]
    with pytest.raises(Problem, match=r"cannot log in for user 4000000, .*: run this as that user"):
        command_line(Path("/opt/claude"), "4000000", 0, token=False)


def test_what_the_gateway_will_use() -> None:
    assert "has 2 keys" in will_use({"keys": [{}, {}]}, token=False)
    assert "ANTHROPIC_API_KEY" in will_use({"keys": [], "login": "ANTHROPIC_API_KEY"}, token=False)
    assert "uses this login" in will_use({"keys": [], "login": "claude"}, token=False)
