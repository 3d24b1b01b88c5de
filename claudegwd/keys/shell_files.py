"""The current key for new shells: one env.sh with the token, and a marked block in each shell file that sources it.

Blocking: call it with ``trio.to_thread.run_sync``.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claudegwd.atomic import FileState, edit_file, read_state, real_path
from claudegwd.keys.key import UpstreamKey
from claudegwd.keys.shell_text import (
    DamagedBlock,
    Shell,
    ShellEdit,
    env_file,
    env_lines,
    source_lines,
    sourced_by,
    with_block,
    without_block,
)

__all__ = ["ENV_FILE_NAME", "Shell", "ShellReport", "apply_shell_files", "env_lines", "source_lines"]

ENV_FILE_NAME: Final = "env.sh"
BACKUP_SUFFIX: Final = ".before-claudegwd"
SHELL_FILE_MAX_BYTES: Final = 4 << 20  # some people keep whole completion scripts in theirs
_PRIVATE: Final = 0o600
_NEW_SHELL_FILE: Final = 0o644  # what other programs give a .bashrc; it holds no token


@dataclass(frozen=True, slots=True)
class ShellReport:
    """What was done to one file, for the log and the reply to a reload.

    ``commented``: numbers of an older gateway's lines that were commented out. ``backup``: the copy just made.
    ``error``: why it was left unchanged, and what to do.
    """

    path: Path
    changed: bool = False
    removed: bool = False
    commented: tuple[int, ...] = ()
    backup: Path | None = None
    error: str | None = None


def apply_shell_files(env_path: Path, shell_files: Sequence[str], key: UpstreamKey | None) -> list[ShellReport]:
    """Bring env.sh and the shell files up to date; returns a report for each shell file that was checked.

    ``env_path``: env.sh in the configuration directory. ``shell_files``: keys.shell_files of the configuration
    (``~`` is expanded); files that env.sh remembers but the setting no longer names lose their block, and if none is
    left, env.sh is removed too. ``key``: the current key; None leaves the variables of new shells alone. Files that are
    up to date are not written, so call it on every key change and reload. Raises OSError only for env.sh itself.
    """
    wanted = list(dict.fromkeys(str(Path(name).expanduser()) for name in shell_files))
    remembered = sourced_by(read_state(env_path, limit=SHELL_FILE_MAX_BYTES).data or b"")
    gone = [name for name in remembered if name not in wanted]
    if not wanted and not remembered:
        return []
    # First the sourced file, then those that source it; its list keeps a file until its block is removed.
    _write_env(env_path, env_file(key, wanted + gone))
    reports = [_remove_block(Path(name), env_path) for name in gone]
    reports += [_write_block(Path(name), env_path) for name in wanted]
    stuck = [str(report.path) for report in reports if report.removed and report.error]
    if wanted or stuck:
        _write_env(env_path, env_file(key, wanted + stuck))
    else:
        with suppress(FileNotFoundError):
            env_path.unlink()
    return reports


def _write_env(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if path.stat().st_mode & 0o777 != _PRIVATE:
            path.chmod(_PRIVATE)
    edit_file(path, lambda _: data, new_mode=_PRIVATE, limit=SHELL_FILE_MAX_BYTES)


def _write_block(path: Path, env_path: Path) -> ShellReport:
    problem = _unfit(path)
    if problem is not None:
        return ShellReport(path, error=f"cannot write {path}: {problem}")
    shell = Shell.FISH if path.suffix == ".fish" else Shell.BASH
    edits: list[ShellEdit] = []
    backups: list[Path] = []

    def change(state: FileState) -> bytes:
        edit = with_block(state.data or b"", str(env_path), shell)
        if state.data is not None and edit.data != state.data and (backup := _backup(path, state)):
            backups.append(backup)
        edits.append(edit)
        return edit.data

    try:
        changed = edit_file(
            path, change, new_mode=_NEW_SHELL_FILE, limit=SHELL_FILE_MAX_BYTES, lock_dir=env_path.parent
        )
    except (OSError, DamagedBlock) as error:
        return ShellReport(path, error=_text(path, error))
    return ShellReport(path, changed, commented=edits[-1].commented, backup=backups[0] if backups else None)


def _remove_block(path: Path, env_path: Path) -> ShellReport:
    def change(state: FileState) -> bytes | None:
        return None if state.data is None else without_block(state.data).data

    if not path.parent.is_dir():
        return ShellReport(path, removed=True)  # the home is gone, and the block with it
    try:
        changed = edit_file(path, change, new_mode=_PRIVATE, limit=SHELL_FILE_MAX_BYTES, lock_dir=env_path.parent)
    except (OSError, DamagedBlock) as error:
        return ShellReport(path, removed=True, error=_text(path, error))
    return ShellReport(path, changed, removed=True)


def _unfit(path: Path) -> str | None:
    """Why ``path`` should not be written, or None."""
    if not path.is_absolute():
        return "keys.shell_files needs absolute paths or ~"
    if "\n" in str(path):
        return "its name has a line break"
    if not real_path(path).parent.is_dir():
        return "its directory does not exist; create it, or remove the file from keys.shell_files"
    if path.name in (".bash_profile", ".bash_login") and not path.exists() and path.with_name(".profile").exists():
        return "it does not exist, and if it did, bash would no longer read .profile; use .profile instead"
    return None


def _backup(path: Path, state: FileState) -> Path | None:
    """Keep a copy of the original content, once. Private, as an older gateway may have left a token in it."""
    backup = path.with_name(path.name + BACKUP_SUFFIX)
    try:
        fd = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
    except FileExistsError:
        return None
    with os.fdopen(fd, "wb") as file:
        if os.geteuid() == 0:
            os.fchown(fd, state.uid, state.gid)  # a system daemon configured with somebody's home
        file.write(state.data or b"")
        file.flush()
        os.fsync(fd)
    return backup


def _text(path: Path, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return f"cannot write {path}: {error.strerror}; check its owner and mode"
    return str(error) if isinstance(error, OSError) else f"cannot write {path}: {error}"
