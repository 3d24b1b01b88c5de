from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from claudegwctl.problems import NotRunning, Problem, Refused, unwritable


def test_exit_codes() -> None:
    assert Problem("cannot x").exit_code == 1
    assert NotRunning("cannot x").exit_code == 3
    refused = Refused("cannot x", "conflict")
    assert (refused.exit_code, str(refused), refused.code) == (1, "cannot x", "conflict")


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, "free some"),
        (errno.EROFS, "choose another place"),
        (errno.EACCES, "use sudo"),
        (errno.EISDIR, "check what"),
    ],
)
def test_what_cannot_be_written_says_what_to_do(number: int, mend: str) -> None:
    said = str(unwritable(Path("/x"), OSError(number, os.strerror(number))))
    assert said.startswith(f"cannot write /x: {os.strerror(number)}; {mend}")


def test_a_directory_that_does_not_exist_is_named() -> None:
    said = str(unwritable(Path("/nowhere/x"), OSError(errno.ENOENT, "No such file or directory")))
    assert said == "cannot write /nowhere/x: the directory /nowhere does not exist; create it first"
