"""Check that files are not accessible to more users than they should be."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from claudegwctl.checks.finding import NOTE, OK, PROBLEM, Finding, Scene, is_mine
from claudegwd.contract import keys_path


def check(scene: Scene) -> Iterator[Finding]:
    keys = keys_path(scene.env, scene.config_file, str(scene.settings.get("keys.file", "")))
    found = [
        *_mode(scene.config_file, 0o022, "others can change it", "chmod go-w"),
        *_mode(scene.config_file.parent, 0o022, "others can put files into it", "chmod go-w"),
        *_mode(keys, 0o177, "others can read the tokens in it", "chmod 600"),
        *_mode(scene.config_file.with_name("env.sh"), 0o177, "others can read the token in it", "chmod 600"),
        *_socket(scene.socket),
    ]
    yield from found
    if not found:
        yield Finding("files", OK, "no private file is readable by others")


def _mode(path: Path, forbidden: int, why: str, mend: str) -> Iterator[Finding]:
    try:
        info = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        # It belongs to another user, and is not accessible to this one.
        yield Finding("files", NOTE, f"cannot check {path}: {error.strerror}", "run this as its owner, or with sudo")
        return
    mode = stat.S_IMODE(info.st_mode)
    if mode & forbidden:
        yield Finding("files", PROBLEM, f"{path} has mode {mode:04o}: {why}", f"`{mend} {quote(str(path))}`")


def _socket(path: Path) -> Iterator[Finding]:
    try:
        info, directory = path.stat(), path.parent.stat()
    except OSError:
        return
    mode = stat.S_IMODE(info.st_mode)
    if mode & 0o007:
        says = f"{path} has mode {mode:04o}: everybody can control the daemon"
        yield Finding("files", PROBLEM, says, f"`chmod o= {quote(str(path))}`; in a socket unit: SocketMode=0660")
    if stat.S_IMODE(directory.st_mode) & 0o022 or not (is_mine(directory.st_uid) or directory.st_uid == info.st_uid):
        says = f"{path.parent} is writable by others, who could put their own socket there"
        yield Finding("files", PROBLEM, says, f"`chmod go-w {quote(str(path.parent))}`")
