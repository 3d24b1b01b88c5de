"""Check that there is something to authenticate with. Files with secrets are never read."""

from __future__ import annotations

import os
import pwd
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Any, Final

from claudegwctl.checks.finding import NOTE, OK, PROBLEM, Finding, Scene
from claudegwd.contract import is_there, keys_path

_VARIABLES: Final = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN")
_ADD: Final = "add a key (`claudegwctl keys add NAME`), or log in with your Claude account (`claudegwctl login`)"
_MENDS: Final = {
    "invalid": "the upstream rejects it: replace it, or test it again with `claudegwctl keys test {}`",
    "exhausted": "it is out of credit: add credit, then run `claudegwctl keys test {}`",
}


def check(scene: Scene) -> Iterator[Finding]:
    credential = list(_of_credential(scene))
    yield from credential
    if scene.status is None and credential:
        return
    if scene.status is not None:
        keys = scene.status.get("keys") or []
        login = scene.status.get("login") or "claude"
        if keys:
            yield from _of_keys(keys)
        elif login != "claude":
            where = "from the CLI's settings" if login == "apiKeyHelper" else "in its environment"
            yield Finding("login", OK, f"no keys; the daemon uses {login} {where}")
        else:
            yield from _of_login(scene)
        return
    path = keys_path(scene.env, scene.config_file, str(scene.settings.get("keys.file", "")))
    if is_there(path):
        yield Finding("keys", OK, f"{path} exists")
    elif scene.env.get("CLAUDE_API_KEYS"):
        yield Finding("keys", OK, "CLAUDE_API_KEYS is set")
    else:
        yield from _of_login(scene)


def _of_keys(keys: list[Mapping[str, Any]]) -> Iterator[Finding]:
    usable = [key["name"] for key in keys if key["state"] in {"active", "ready"}]
    for key in keys:
        if mend := _MENDS.get(key["state"]):
            level = NOTE if usable else PROBLEM
            yield Finding("keys", level, f"{key['name']} is {key['state']}", mend.format(quote(key["name"])))
    if usable:
        yield Finding("keys", OK, f"{len(usable)} of {len(keys)} usable: {', '.join(usable)}")
    elif cooling := [key["name"] for key in keys if key["state"] == "cooling"]:
        says = f"cooling down: {', '.join(cooling)}; no other is usable"
        says = "all are cooling down" if len(cooling) == len(keys) else says
        yield Finding("keys", NOTE, says, "wait, or add another key with `claudegwctl keys add NAME`")
    else:  # a login does not help: it is used only while there are no keys
        disabled = any(key["state"] == "disabled" for key in keys)
        mend = "enable one (`claudegwctl keys enable NAME`), or " if disabled else ""
        mend += "add another key (`claudegwctl keys add NAME`)"
        yield Finding("keys", PROBLEM, f"none of {len(keys)} is usable", mend)


def _of_credential(scene: Scene) -> Iterator[Finding]:
    """The keys that systemd passes to the system service when it starts. Only root can read their file."""
    if not scene.is_system_service:
        return
    try:
        info = scene.credential.stat()
    except OSError:
        return
    if stat.S_IMODE(info.st_mode) & 0o077:
        says = f"{scene.credential} is accessible to users other than its owner"
        yield Finding("credential", PROBLEM, says, f"`chmod 600 {quote(str(scene.credential))}`")
    if scene.status is not None and info.st_mtime > time.time() - float(scene.status.get("uptime_seconds", 0)):
        says = f"{scene.credential} has changed since the service started; the service still uses the old one"
        yield Finding("credential", NOTE, says, "`systemctl restart claudegwd`")
    else:
        yield Finding("credential", OK, f"{scene.credential} provides the system service's keys")


def _of_login(scene: Scene) -> Iterator[Finding]:
    found = [name for name in _VARIABLES if scene.env.get(name)]
    if found and scene.status is None:  # a running daemon has said what is in its own
        yield Finding(
            "login", OK, f"no keys; {found[0]} is set in this shell, but the daemon needs it in its own environment"
        )
        return
    user, home = _whose(scene)
    try:
        (home / ".credentials.json").stat()
        found_login = True
    except PermissionError:
        yield Finding("login", NOTE, f"no keys; cannot check the CLI's login of {user}", "run this with sudo")
        return
    except OSError:
        found_login = False
    if found_login:
        yield Finding("login", OK, f"no keys; the CLI's login in {home} works for a daemon run by {user}")
    elif sys.platform == "darwin":
        yield Finding(
            "login",
            NOTE,
            "no keys; there may be a login in the keychain, which is not checked. On macOS, keys always work, "
            "and so does `claudegwctl login --token` with CLAUDE_CODE_OAUTH_TOKEN",
            _ADD,
        )
    else:
        yield Finding("login", PROBLEM, f"no keys, and the CLI is not logged in for {user}", _ADD)


def _whose(scene: Scene) -> tuple[str, Path]:
    """The user whose login the daemon uses, for people, and where the CLI keeps it."""
    from claudegwctl.commands.login import name_of, owner

    user = owner(scene.status, os.geteuid(), system=scene.is_system_service)
    if user != name_of(os.geteuid()):
        with suppress(KeyError):
            return user, Path(pwd.getpwnam(user).pw_dir) / ".claude"
    return "this user", Path(scene.env.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude")
