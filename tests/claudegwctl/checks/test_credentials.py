from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from claudegwctl.checks.credentials import check
from claudegwctl.checks.finding import Scene
from claudegwd.contract import SYSTEM_CONFIGURATION, SYSTEM_SOCKET


def findings(tmp_path: Path, env: dict[str, str] | None = None, keys: list[dict[str, Any]] | None = None) -> list[str]:
    status = None if keys is None else {"keys": keys}
    home = {"CLAUDE_CONFIG_DIR": str(tmp_path / "home")}
    scene = Scene({**home, **(env or {})}, tmp_path / "s", tmp_path / "config.toml", status)
    return [f"{found.level} {found.about}: {found.says}" for found in check(scene)]


def key(name: str, state: str) -> dict[str, Any]:
    return {"name": name, "state": state}


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (["active", "ready"], ["ok keys: 2 of 2 usable: k0, k1"]),
        (["active", "invalid"], ["note keys: k1 is invalid", "ok keys: 1 of 2 usable: k0"]),
        (["invalid", "exhausted"], ["problem keys: k0 is invalid", "problem keys: k1 is exhausted",
                                    "problem keys: none of 2 is usable"]),
        (["cooling", "cooling"], ["note keys: all are cooling down"]),
        (["cooling", "disabled"], ["note keys: cooling down: k0; no other is usable"]),
        (["disabled"], ["problem keys: none of 1 is usable"]),
    ],
)  # fmt: skip
def test_keys_of_a_daemon(tmp_path: Path, states: list[str], said: list[str]) -> None:
    assert findings(tmp_path, keys=[key(f"k{number}", state) for number, state in enumerate(states)]) == said


@pytest.mark.parametrize(("state", "enables"), [("disabled", True), ("exhausted", False)])
def test_what_helps_where_no_key_is_usable(tmp_path: Path, state: str, enables: bool) -> None:
    status = {"keys": [key("k0", state)]}
    *_, found = check(Scene({}, tmp_path / "s", tmp_path / "config.toml", status))
    assert ("keys enable" in found.mend, "keys add" in found.mend, "login" in found.mend) == (enables, True, False)


def test_without_a_daemon_the_file_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("secret")
    assert findings(tmp_path) == [f"ok keys: {tmp_path / 'keys.json'} exists"]


def test_variables(tmp_path: Path) -> None:
    assert findings(tmp_path, {"CLAUDE_API_KEYS": "[]"}) == ["ok keys: CLAUDE_API_KEYS is set"]
    (said,) = findings(tmp_path, {"ANTHROPIC_API_KEY": "sk-false-1"})
    assert said.startswith("ok login: no keys; ANTHROPIC_API_KEY is set in this shell")
    assert "sk-false" not in said


def test_a_login_of_the_cli(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".credentials.json").write_text("secret")
    (said,) = findings(tmp_path, keys=[])
    assert said == f"ok login: no keys; the CLI's login in {home} works for a daemon run by this user"


def test_a_variable_of_this_shell_is_none_of_a_running_daemon(tmp_path: Path) -> None:
    (said,) = findings(tmp_path, {"ANTHROPIC_API_KEY": "sk-false-1"}, keys=[])
    assert said == findings(tmp_path)[0]


def test_the_login_is_that_of_the_daemons_user(tmp_path: Path) -> None:
    other = "nobody" if os.geteuid() == 0 else "root"
    with Popen(["sleep", "60"], user=other) if other == "nobody" else nullcontext() as process:
        status = {"keys": [], "pid": process.pid if process else 1}
        (said,) = check(Scene({}, tmp_path / "s", tmp_path / "config.toml", status))
        if process:
            process.kill()
    assert said.says.endswith(f" {other}")


def test_a_login_that_we_may_not_look_for_is_not_called_ok(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0)
    if os.geteuid() == 0:
        tmp_path.chmod(0o755)
        os.seteuid(65534)
    try:
        said = findings(tmp_path, keys=[])
    finally:
        os.seteuid(os.getuid())
        home.chmod(0o700)
    assert said == ["note login: no keys; cannot check the CLI's login of this user"]


def test_nothing_at_all(tmp_path: Path) -> None:
    (said,) = findings(tmp_path)
    assert said in {
        "problem login: no keys, and the CLI is not logged in for this user",
        "note login: no keys; there may be a login in the keychain, which is not checked",
    }


def of_credential(path: Path, mode: int, uptime: float | None, socket: Path = SYSTEM_SOCKET) -> list[str]:
    path.write_text("secret")
    path.chmod(mode)
    status = None if uptime is None else {"keys": [key("k0", "active")], "uptime_seconds": uptime}
    scene = Scene({}, socket, path.with_name("config.toml"), status, credential=path)
    return [f"{found.level} {found.mend}" for found in check(scene) if found.about == "credential"]


@pytest.mark.parametrize(
    ("mode", "uptime", "said"),
    [
        (0o600, None, ["ok "]),
        (0o600, 0.0, ["ok "]),
        (0o600, 1000.0, ["note `systemctl restart claudegwd`"]),
        (0o644, 0.0, ["problem `chmod 600 {}`", "ok "]),
    ],
)
def test_a_credential_of_the_machines_service(tmp_path: Path, mode: int, uptime: float | None, said: list[str]) -> None:
    path = tmp_path / "claudegwd.keys.json"
    assert of_credential(path, mode, uptime) == [each.format(path) for each in said]


def test_the_machines_service_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "claudegwd.keys.json"
    path.touch(0o600)
    scene = Scene({}, tmp_path / "control.sock", SYSTEM_CONFIGURATION / "config.toml", credential=path)
    assert [found.says for found in check(scene)] == [f"{path} provides the system service's keys"]


def test_another_daemon_has_nothing_to_do_with_it(tmp_path: Path) -> None:
    assert of_credential(tmp_path / "claudegwd.keys.json", 0o600, 0.0, tmp_path / "control.sock") == []
