"""Check that the daemon is running, reachable and healthy."""

from __future__ import annotations

import grp
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from claudegwctl.checks.finding import NOTE, OK, PROBLEM, Finding, Scene
from claudegwctl.client import Daemon
from claudegwctl.output import conversations
from claudegwctl.problems import NotRunning, Problem
from claudegwd.contract import EXIT_CONFIG, is_there

# `claudegwd --check` starts Python and reads three files.
CHECK_SECONDS: Final = 30


def check(scene: Scene, daemon: Daemon) -> Iterator[Finding]:
    """Check the daemon, and store its status in `scene` for the checks that follow."""
    try:
        scene.status = daemon.get("/v1/status")
    except NotRunning:
        yield _not_running(scene.socket)
    except Problem as problem:
        yield Finding("daemon", PROBLEM, str(problem), _group_mend(scene.socket))
    if scene.status is None:
        yield from _check_by_program(scene)
        return
    state = str(scene.status.get("state"))
    trouble = scene.status.get("problem")
    of_state = scene.status.get("state_problem")
    says = f"claudegwd {scene.status.get('version')} is {state} at {scene.socket}"
    if trouble and trouble != of_state:
        yield Finding("daemon", PROBLEM, f"{says}: {trouble}", "`claudegwctl logs` shows details")
    else:
        yield Finding("daemon", OK if state == "ready" else NOTE, says)
    if "state_file" in scene.status and scene.status["state_file"] is None:
        says = "state is kept in memory only: clients and key states are lost when the daemon stops"
        mend = of_state or "make the directory named in its log writable for its user"
        yield Finding("state", PROBLEM, says, f"{mend}, then restart it")
    elif of_state:
        yield Finding("state", PROBLEM, of_state, "`claudegwctl logs` shows details")
    if lacks := scene.status.get("sandbox_missing"):
        mend = (
            'docs/workspaces.md lists what each part needs; with `sandbox = "required"`, workspaces refuse to '
            "run without it"
        )
        yield Finding("sandbox", NOTE, f"workspaces are not fully confined: {'; '.join(lacks)}", mend)
    if (kept := scene.status.get("conversations")) and kept.get("count"):
        yield Finding("conversations", OK, f"{conversations(kept)} kept for workspaces with sessions = true")
    if shuts_out := scene.status.get("shuts_out"):
        says, _, mend = shuts_out.partition("; ")
        yield Finding("clients", NOTE, says, mend)
    if shared := scene.status.get("shared"):
        yield _of_shared(shared)
    yield from _check_by_daemon(scene, daemon)


def _of_shared(shared: Mapping[str, Any]) -> Finding:
    """The finding about the store that machines share."""
    if shared.get("away_since") is None and not shared.get("sealed"):
        says = f"{shared['place']} ({shared['version']}): without a secret, client keys and responses are not shared"
        return Finding("shared store", NOTE, says, "give all machines the same secret, in shared.secret_file")
    if shared.get("away_since") is None:
        return Finding("shared store", OK, f"{shared['place']} ({shared['version']})")
    says = f"{shared['place']} is unavailable: {shared['problem']}; this machine continues with what it knows"
    mend = "check that it is running and reachable; the gateway then reconnects by itself"
    if setting := shared.get("at_fault"):
        mend = f"correct {setting} and restart claudegwd"
    return Finding("shared store", PROBLEM, says, mend)


def _not_running(socket: Path) -> Finding:
    says = f"claudegwd is not running (no answer at {socket})"
    if is_there(socket):
        says += "; the socket file was left behind by a daemon that died, and the next one replaces it"
    return Finding("daemon", PROBLEM, says, "start it with `claudegwctl start`, or run `claudegwd` in a terminal")


def _group_mend(socket: Path) -> str:
    try:
        found = socket.stat()
        name = grp.getgrgid(found.st_gid).gr_name
    except (OSError, KeyError):
        return "ask whoever runs the daemon for access to its socket"
    # Not root's group: whoever joins it gets far more than this socket.
    if stat.S_IMODE(found.st_mode) & 0o060 and found.st_gid not in {0, os.getegid(), *os.getgroups()}:
        return f"join its group: `sudo usermod -aG {name} $USER`, then log in again"
    return "ask whoever runs the daemon for access to its socket"


def _check_by_daemon(scene: Scene, daemon: Daemon) -> Iterator[Finding]:
    try:
        config = daemon.get("/v1/config")
        scene.settings = {row["key"]: row["value"] for row in config["settings"]}
        scene.config_file = Path(config["path"])
        daemon.ask("POST", "/v1/config/check")
    except (Problem, KeyError) as problem:
        mend = "correct the file; until then the previous configuration stays in effect"
        yield Finding("configuration", PROBLEM, str(problem), mend)
        return
    where = str(scene.config_file) + ("" if config["exists"] else " (no such file; defaults apply)")
    waiting = [change["key"] for change in config.get("waiting_for_restart", [])]
    if waiting:
        says = f"{where}: {', '.join(waiting)} changed but not yet in effect"
        yield Finding("configuration", NOTE, says, "restart it (`claudegwctl restart`, if it is a service)")
    else:
        yield Finding("configuration", OK, where)
    for warning in config.get("warnings", []):
        yield Finding("configuration", NOTE, warning)


def _check_by_program(scene: Scene) -> Iterator[Finding]:
    """Without a running daemon: check the configuration as one started in this environment would."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "claudegwd", "--check"],
            capture_output=True, text=True, timeout=CHECK_SECONDS, check=False, stdin=subprocess.DEVNULL,
            env=dict(scene.env),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        says = "`claudegwd --check` did not run"
        yield Finding(
            "configuration", PROBLEM, says, "reinstall the package: `pip install --force-reinstall claudegwd`"
        )
        return
    if done.returncode == 0:
        yield Finding("configuration", OK, str(scene.config_file))
    else:
        lines = done.stderr.strip().removeprefix("claudegwd: ").splitlines() or ["it gave no reason"]
        says = "\n".join(lines if done.returncode == EXIT_CONFIG else lines[-1:])
        yield Finding("configuration", PROBLEM, says, "correct it, then run `claudegwctl doctor` again")
