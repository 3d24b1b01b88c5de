from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from claudegwctl.main import COMMANDS
from tests.control_cli import ROOT, ctl, ctl_without_daemon, environment

GROUPS = {
    "keys": ("list", "add", "remove", "enable", "disable", "test", "import"),
    "clients": ("create", "list", "revoke"),
    "cli": ("list", "try", "use", "rollback"),
    "config": ("show", "check", "path", "get", "set", "edit"),
    "notify": ("test",),
    "workspaces": ("list", "add", "remove", "check"),
}
ALL = [(name,) for name in COMMANDS if name not in GROUPS] + [
    (group, name) for group in GROUPS for name in GROUPS[group]
]

# What it may import of the daemon's package.
ALLOWED = ("claudegwd.contract", "from claudegwd import contract", "claudegwd.atomic")

# One that is started with each command, and what it must not load: each takes longer than all of the rest.
HEAVY = (
    "trio",
    "quart",
    "hypercorn",
    "msgspec",
    "pydantic",
    "rich",
    "textual",
    "http.client",
    "importlib.metadata",
    "asyncio",
)


def test_every_module_is_a_command() -> None:
    modules = {path.stem for path in (ROOT / "claudegwctl" / "commands").glob("*.py")} - {"__init__"}
    assert modules == set(COMMANDS)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example_and_json(words: tuple[str, ...]) -> None:
    done = ctl_without_daemon(*words, "--help")
    assert done.status == 0
    assert "Example: " in done.out
    assert f"claudegwctl {' '.join(words)}" in done.out
    assert "--json" in done.out


@pytest.mark.parametrize("words", [(), *((group,) for group in GROUPS)], ids=" ".join)
def test_the_help_of_what_has_commands_has_an_example(words: tuple[str, ...]) -> None:
    assert f"Example: claudegwctl {' '.join(words)}" in ctl_without_daemon(*words, "--help").out


def test_the_help_lists_them_in_order() -> None:
    out = ctl_without_daemon("-h").out
    places = [out.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["statu"], "did you mean 'status'"),
        (["keys", "ad"], "did you mean 'add'?"),
        (["status", "--wach"], "no such option: --wach; did you mean --watch? (`claudegwctl status --help`"),
        (["logs", "-n", "many"], "-n"),
        (["logs", "--level", "loud"], "level"),
        (["keys", "remove"], "missing argument"),
    ],
)
def test_wrong_usage_is_2(words: list[str], said: str) -> None:
    done = ctl_without_daemon(*words)
    assert (done.status, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize(
    "words",
    ["status", "rotate x", "reload", "logs -f", "keys list", "clients list", "workers", "models", "config show", "env"],
)
async def test_a_daemon_that_does_not_run_is_3(nowhere: Path, words: str) -> None:
    done = await ctl(nowhere, *words.split())
    assert (done.status, done.out) == (3, "")
    (line,) = done.err.splitlines()
    assert line.startswith(f"cannot reach claudegwd at {nowhere}: it is not running; start it")


def test_the_socket_of_the_environment(nowhere: Path) -> None:
    assert str(nowhere) in ctl_without_daemon("status", CLAUDEGWD_SOCKET=str(nowhere)).err


def test_it_loads_nothing_slow_and_nothing_of_the_daemon(nowhere: Path) -> None:
    code = (
        "import sys; sys.argv = ['claudegwctl', '--socket', sys.argv[1], 'status']\n"
        "from claudegwctl.main import main\n"
        "try: main()\n"
        "except SystemExit as left: print(left.code)\n"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(nowhere)], env=environment(), capture_output=True, text=True, check=True
    )
    status, modules = done.stdout.splitlines()
    loaded = set(modules.split())
    assert status == "3"
    assert {name for name in loaded if name.split(".")[0] == "claudegwd"} == {"claudegwd", "claudegwd.contract"}
    assert not loaded & set(HEAVY)


def test_no_module_of_it_names_more_of_the_daemon_than_what_it_may() -> None:
    for path in (ROOT / "claudegwctl").rglob("*.py"):
        for line in path.read_text().splitlines():
            if "import" in line and "claudegwd" in line.replace("claudegwctl", ""):
                assert any(name in line for name in ALLOWED), f"{path.name}: {line}"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    complete = {"bash": {"COMP_WORDS": "claudegwctl ke", "COMP_CWORD": "1"}}.get(
        shell, {"_TYPER_COMPLETE_ARGS": "claudegwctl ke", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    )
    done = ctl_without_daemon(_CLAUDEGWCTL_COMPLETE=f"complete_{shell}", **complete)
    assert "keys" in done.out


async def test_names_of_keys_are_completed(socket: Path) -> None:
    done = await ctl(
        socket, _CLAUDEGWCTL_COMPLETE="complete_bash", COMP_WORDS="claudegwctl keys remove s", COMP_CWORD="3",
        CLAUDEGWD_SOCKET=str(socket),
    )  # fmt: skip
    assert done.out.split() == ["second"]


async def test_output_into_a_closed_pipe_is_no_traceback(socket: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m claudegwctl --help | head -c 1", shell=True, env=environment(), capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert "Traceback" not in done.stderr


def test_a_full_disk_behind_the_output_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "claudegwctl", "version"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n"), done.stderr[:24]) == (1, 1, "cannot write the output:")


def test_letters_that_the_terminal_does_not_know() -> None:
    command = [sys.executable, "-m", "claudegwctl", "--socket", "/nowhere/\u4e2d", "doctor"]
    env = os.environ | {"PYTHONIOENCODING": "latin-1:strict"}
    done = subprocess.run(command, capture_output=True, env=env, check=False)
    assert (b"Traceback" in done.stderr, b"\\u4e2d" in done.stdout) == (False, True)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_json_in_every_encoding(encoding: str) -> None:
    command = [sys.executable, "-m", "claudegwctl", "--socket", "/nowhere/\u00e9\U0001f600", "--json", "doctor"]
    env = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, env=env, check=False)
    assert "/nowhere/\u00e9\U0001f600" in json.loads(done.stdout)["findings"][0]["says"]


def test_version_and_aliases(nowhere: Path) -> None:
    assert ctl_without_daemon("--version").out.startswith("claudegwctl 0.")
    for words in (("keys", "ls"), ("clients", "ls"), ("keys", "rm", "x")):
        assert ctl_without_daemon("--socket", str(nowhere), *words).status == 3, words
    assert "ls" not in ctl_without_daemon("keys", "-h").out.split()


@pytest.mark.parametrize("words", ["status", "keys list", "workers --json", "config show", "keys --help"])
@pytest.mark.parametrize(
    ("streams", "status"),
    [(">&-", 1), (">/dev/full", 1), ("2>&-", 0), ("2>/dev/full", 0), (">&- 2>&-", 1), ("<&-", 0), ("| true", None)],
)
async def test_streams_that_are_closed_or_full(socket: Path, words: str, streams: str, status: int | None) -> None:
    line = f"{sys.executable} -m claudegwctl --socket {socket} {words} {streams}"
    done = await trio.run_process(
        ["/bin/sh", "-c", line], capture_stdout=True, capture_stderr=True, check=False, env=environment()
    )
    said = done.stderr.decode()
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert status in (None, done.returncode)
    if status == 1:
        assert said == "" or said.startswith("cannot write the output: ")
    else:
        assert "cannot write" not in said


@pytest.mark.parametrize(
    "words",
    [
        b"rotate \xff", b"keys remove \xff", b"keys test \xff", b"clients create \xff", b"clients revoke \xff",
        b"clients set \xff --rpm 1", b"config get \xff", b"config set claude.binary \xff", b"logs --request \xff",
        b"usage --client \xff", b"workspaces remove \xff", b"workspaces add shop /\xff", b"approve \xff", b"deny \xff",
        b"keys rename primary \xff", b"cli try \xff", b"backup /nowhere/\xff", b"restore /nowhere/\xff", b"\xff",
        b"--\xff", b"logs --level \xff", b"keys import /\xff", b"connect \xff",
    ],
)  # fmt: skip
async def test_arguments_that_are_no_text(socket: Path, words: bytes) -> None:
    command = [os.fsencode(sys.executable), b"-m", b"claudegwctl", b"--socket", os.fsencode(socket), *words.split(b" ")]
    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False, env=environment())
    assert done.returncode in (1, 2)
    (line,) = done.stderr.splitlines()
    assert line.startswith(b"cannot ")


def test_a_current_directory_that_was_removed(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = ["sh", "-c", f'rmdir "$PWD"; exec "{sys.executable}" -m claudegwctl --socket x status']
    done = subprocess.run(command, cwd=gone, env=environment(), capture_output=True, text=True, check=False)
    said = "cannot find the current directory: it was removed; change to another one\n"
    assert (done.returncode, done.stderr) == (1, said)
