from __future__ import annotations

from claudegwctl.problems import NotRunning, Problem, Refused


def test_exit_codes() -> None:
    assert Problem("cannot x").exit_code == 1
    assert NotRunning("cannot x").exit_code == 3
    refused = Refused("cannot x", "conflict")
    assert (refused.exit_code, str(refused), refused.code) == (1, "cannot x", "conflict")
