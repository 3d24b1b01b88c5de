"""Errors that end a command early: one line for stderr, and an exit code."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from claudegwd.contract import EXIT_FAILED, EXIT_NOT_RUNNING, EXIT_USAGE

_MENDS: Final = {
    errno.ENOSPC: "free some disk space",
    errno.EDQUOT: "free some space, or have your quota raised",
    errno.EROFS: "choose another place, or mount it writable",
    errno.EACCES: "use sudo if it is not yours",
    errno.EPERM: "use sudo if it is not yours",
}


class Problem(Exception):  # noqa: N818 - it names what happened
    """Its text is the line for stderr: "cannot …: what to do"."""

    exit_code = EXIT_FAILED


class UsageError(Problem):
    """The command line is wrong, whatever the daemon would say."""

    exit_code = EXIT_USAGE


class NotRunning(Problem):
    """Nothing answers at the control socket."""

    exit_code = EXIT_NOT_RUNNING


class Refused(Problem):
    """The daemon refused. `code` is its error code."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def unwritable(path: Path, error: OSError) -> Problem:
    """The Problem for a file that could not be written: the reason, and what to do."""
    if error.errno == errno.ENOENT and not path.parent.exists():
        return Problem(f"cannot write {path}: the directory {path.parent} does not exist; create it first")
    mend = _MENDS.get(error.errno or 0, "check what is there")
    return Problem(f"cannot write {path}: {error.strerror or 'refused'}; {mend}")
