from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from claudegwd import contract

ROOT = Path(__file__).parents[2]
NOBODY_KNOWN = ["unshare", "--user", "--map-user=54321"]


def test_the_configuration(tmp_path: Path) -> None:
    env = {"CONFIGURATION_DIRECTORY": f"{tmp_path}:/etc/other"}
    assert contract.config_path(env) == (tmp_path / "config.toml", False)
    assert contract.config_path(env | {"CLAUDEGWD_CONFIG": "/etc/mine.toml"}) == (Path("/etc/mine.toml"), True)
    assert contract.config_path({})[0].parts[-2:] == ("claudegwd", "config.toml")


@pytest.mark.parametrize("program", ["claudegwd", "claudegwctl"])
def test_a_user_without_a_home_meets_no_traceback(program: str) -> None:
    """Of a user id without an entry in passwd: no name of the system's has this number."""
    if subprocess.run([*NOBODY_KNOWN, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us be another user in a namespace")
    more = ["--check"] if program == "claudegwd" else ["doctor"]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    command = [*NOBODY_KNOWN, sys.executable, "-m", program, *more]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    assert "/.config/claudegwd/config.toml" in done.stdout + done.stderr


@pytest.mark.parametrize("words", ["status", "doctor", "config path", "cli list", "workspaces check", "chat hello"])
def test_the_home_of_an_unknown_user_is_no_traceback(words: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[control]\nsocket = "~nosuch/a.sock"\n[claude]\nbinary = "~nosuch/claude"\n')
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    for config in (str(tmp_path / "config.toml"), "~nosuch/config.toml"):
        done = subprocess.run(
            [sys.executable, "-m", "claudegwctl", *words.split()], env=env | {"CLAUDEGWD_CONFIG": config}, cwd=tmp_path,
            capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        assert done.stdout or done.stderr.startswith("cannot ")


def test_the_state(tmp_path: Path) -> None:
    assert contract.state_directory({"STATE_DIRECTORY": str(tmp_path)}) == tmp_path
    assert contract.state_directory({}).name == "claudegwd"


def test_root_finds_the_machines_service_while_it_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    env, system = {"LANG": "C"}, tmp_path / "etc"
    assert contract.places_of(env, 0, system) == env, "there is none"
    system.mkdir()
    found = contract.places_of(env, 0, system)
    assert contract.config_path(found)[0] == system / "config.toml"
    assert contract.state_directory(found) == Path("/var/lib/claudegwd")
    for name in ("STATE_DIRECTORY", "CONFIGURATION_DIRECTORY", "CLAUDEGWD_CONFIG"):
        assert contract.places_of(env | {name: "/x"}, 0, system) == env | {name: "/x"}
    assert contract.places_of(env, 1000, system) == env
    if sys.platform == "linux":  # elsewhere it lies below HOME
        (tmp_path / "home/claudegwd").mkdir(parents=True)
        assert contract.places_of(env, 0, system) == env, "root has a gateway of its own"


def test_the_upstream_keys(tmp_path: Path) -> None:
    config = tmp_path / "etc" / "config.toml"
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    env = {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert contract.keys_path(env, config) == config.parent / "keys.json"
    (credentials / "keys.json").touch()
    assert contract.keys_path(env, config) == credentials / "keys.json"
    assert contract.keys_path(env, config, "other.json") == config.parent / "other.json"
    assert contract.keys_path(env, config, "/srv/k.json") == Path("/srv/k.json")


def test_where_the_daemon_listens(tmp_path: Path) -> None:
    assert contract.daemon_socket_path({}).parts[-2:] == ("claudegwd", "control.sock")
    runtime = {"RUNTIME_DIRECTORY": str(tmp_path)}
    assert contract.daemon_socket_path(runtime) == tmp_path / "control.sock"
    assert contract.daemon_socket_path(runtime, "/run/x.sock") == Path("/run/x.sock")
    named = runtime | {"CLAUDEGWD_SOCKET": "/run/y.sock"}
    assert contract.daemon_socket_path(named, "/run/x.sock") == Path("/run/y.sock")


def test_where_the_control_cli_looks(tmp_path: Path) -> None:
    runtime = {"RUNTIME_DIRECTORY": str(tmp_path)}
    # Without a socket of its own it answers the user's place, unless the system's daemon is there.
    expected = contract.SYSTEM_SOCKET if contract.SYSTEM_SOCKET.exists() else tmp_path / "control.sock"
    assert contract.client_socket_path(runtime) == expected
    (tmp_path / "control.sock").touch()
    assert contract.client_socket_path(runtime) == tmp_path / "control.sock"
    named = runtime | {"CLAUDEGWD_SOCKET": "/run/y.sock"}
    assert contract.client_socket_path(named) == Path("/run/y.sock")
    assert contract.client_socket_path(named, "/run/z.sock") == Path("/run/z.sock")


def test_the_control_cli_finds_a_socket_that_the_configuration_names(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    env = {"RUNTIME_DIRECTORY": str(tmp_path / "none"), "CLAUDEGWD_CONFIG": str(config)}
    if contract.SYSTEM_SOCKET.exists():
        pytest.skip("a system daemon runs on this machine, and is found first")
    usual = contract.client_socket_path(env)
    for broken in ("[control\n", "[control]\nsocket = 5\n", "control = 1\n"):
        config.write_text(broken)
        assert contract.client_socket_path(env) == usual
    config.write_text('[control]\nsocket = "/run/elsewhere.sock"\n')
    assert contract.client_socket_path(env) == Path("/run/elsewhere.sock")
    assert contract.client_socket_path(env | {"CLAUDEGWD_CONTROL__SOCKET": "/run/v.sock"}) == Path("/run/v.sock")


def test_where_one_may_not_look_something_may_lie(tmp_path: Path) -> None:
    """A group member's mistake: the socket's directory is closed to others. They are told so when they connect."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    env = {"RUNTIME_DIRECTORY": str(closed), "CREDENTIALS_DIRECTORY": str(closed)}
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:  # whom no mode keeps out
                os.setuid(65534)
            found = (contract.client_socket_path(env), contract.keys_path(env, tmp_path / "config.toml"))
            status = 0 if found == (closed / "control.sock", closed / "keys.json") else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not contract.is_there(tmp_path / "nothing")


def test_it_loads_nothing_heavy() -> None:
    code = "import sys, claudegwd.contract; print('platformdirs' in sys.modules, 'msgspec' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("tools", "allow", "writes"),
    [
        ((), (), False),
        (("Read", "Grep", "Glob", "WebFetch", "WebSearch"), ("Read(//opt/**)",), False),
        (("Read", "Bash"), (), True),
        (("Edit",), (), True),
        (("Read",), ("mcp__git",), True),
        (("Read", "What comes later"), (), True),
    ],
)
def test_whether_anything_in_a_workspace_could_write(
    tools: tuple[str, ...], allow: tuple[str, ...], writes: bool
) -> None:
    assert contract.workspace_writes(tools, allow) is writes
