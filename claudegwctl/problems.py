"""What ends a command early: one line for stderr, and an exit code."""

from __future__ import annotations

from claudegwd.contract import EXIT_FAILED, EXIT_NOT_RUNNING


class Problem(Exception):  # noqa: N818 - it names what happened
    """Its text is the line: "cannot …: what to do"."""

    exit_code = EXIT_FAILED


class NotRunning(Problem):
    """Nobody answers at the control socket."""

    exit_code = EXIT_NOT_RUNNING


class Refused(Problem):
    """The daemon said no. `code` is its word for why."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code
