"""claudegwctl login"""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from claudegwctl.options import AsJson, daemon_of, new_app, socket_path, wants_json
from claudegwctl.output import note, say, say_json
from claudegwctl.problems import NotRunning, Problem
from claudegwd.contract import SYSTEM_CONFIGURATION, config_path, places_of

app = new_app()


@app.command(epilog="Example: claudegwctl login")
def login(
    ctx: typer.Context,
    token: Annotated[
        bool, typer.Option("--token", help="For machines without a browser: the CLI prints a token to keep.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Log in with your Claude account, for the user that the service runs as.

    Runs the Claude Code CLI's own login, then prints what the gateway will use. The login itself is never read.
    """
    try:
        status: dict[str, Any] | None = daemon_of(ctx).get("/v1/status")
    except NotRunning:
        status = None
    env = places_of(os.environ, os.geteuid())
    user = owner(status, os.geteuid(), system=config_path(env)[0].parent == SYSTEM_CONFIGURATION)
    command = command_line(_binary(ctx, status, env), user, os.geteuid(), token=token)
    if not sys.stdin.isatty():  # the CLI would wait for ever
        raise Problem(
            "cannot log in without a terminal, since the Claude Code CLI is interactive: run this in one (`ssh -t`, "
            "`docker exec -it`), or add a key instead (`claudegwctl keys add NAME < FILE`)"
        )
    as_json = wants_json(ctx, json)
    if not as_json:
        note(f"running {' '.join(command)}")
    try:
        done = subprocess.run(  # noqa: S603 - the CLI that the daemon runs
            command, check=False, stdout=sys.stderr if as_json else None
        )
    except OSError as error:
        raise Problem(f"cannot run {command[0]}: {error.strerror}") from None
    if done.returncode:
        raise Problem(f"cannot log in: the Claude Code CLI exited with status {done.returncode}")
    used = will_use(status, token=token)
    if as_json:
        say_json({"user": user, "uses": used})
    else:
        say(used)


def owner(status: Mapping[str, Any] | None, uid: int, *, system: bool = False) -> str:
    """The name of the user that the daemon runs as. If none is running: the system service's, or the current user."""
    if status is not None:
        with suppress(OSError):  # no /proc, or a process in another namespace: assume the current user
            uid = Path(f"/proc/{status.get('pid')}").stat().st_uid
    elif system:
        from claudegwctl.service.systemd import USER

        with suppress(KeyError):  # not created yet
            return pwd.getpwnam(USER).pw_name
    return name_of(uid)


def name_of(uid: int) -> str:
    """The user's name, or number if it has no name: container engines run programs as any number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def command_line(binary: Path, user: str, uid: int, *, token: bool) -> list[str]:
    """The CLI's own login, as `user`. Raises Problem if that requires root."""
    what = [str(binary), *(["setup-token"] if token else ["auth", "login"])]
    if name_of(uid) == user:
        return what
    if uid != 0:
        raise Problem(f"cannot log in for {user}, the user the gateway runs as: use sudo")
    try:
        home = pwd.getpwnam(user).pw_dir
    except KeyError:
        raise Problem(
            f"cannot log in for user {user}, who has no name and no home here: run this as that user"
        ) from None
    return ["runuser", "-u", user, "--", "env", f"HOME={home}", *what]


def will_use(status: dict[str, Any] | None, *, token: bool) -> str:
    """When the gateway will use the login, for people; from the answer to GET /v1/status."""
    if status is not None and status.get("keys"):
        count = len(status["keys"])
        return (
            f"the gateway has {count} key{'s' if count > 1 else ''} and uses {'those' if count > 1 else 'that'}; "
            "it uses the login only when there are none"
        )
    if status is not None and status.get("login") not in {None, "claude"}:
        return f"the gateway uses {status['login']} from its environment; it uses the login only when that is not set"
    if token:
        return "set CLAUDE_CODE_OAUTH_TOKEN to the token in the gateway's environment, and restart it"
    return "the gateway uses this login from its next conversation"


def _binary(ctx: typer.Context, status: dict[str, Any] | None, env: Mapping[str, str]) -> Path:
    from claudegwctl.checks.cli import find
    from claudegwctl.checks.finding import Scene, read_settings
    from claudegwd.contract import HOW_TO_GET_CLI

    file, _ = config_path(env)
    scene = Scene(env, socket_path(ctx), file, settings=read_settings(file, env))
    scene.status = status
    found = find(scene)
    if found is None:
        raise Problem(f"cannot log in: there is no Claude Code CLI; {HOW_TO_GET_CLI}")
    return found
