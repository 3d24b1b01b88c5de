"""The end of what test runners print, as counts and nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.workspaces.tallies import MAX_LINES, tally

PYTEST = "F..\n=========== 3 failed, 12 passed, 1 skipped, 2 warnings in 0.12s ===========\n"
COLOURED = "=== \x1b[31m1 failed\x1b[0m, \x1b[32m7 passed\x1b[0m\x1b[31m in 61.00s (0:01:01)\x1b[0m ==="
NEXTEST = "     Summary [   0.005s] 5 tests run: 4 passed (1 slow), 1 failed, 2 skipped"
UNITTEST = """..F
FAIL: test_secret (test_a.Secret)
AssertionError: 41 != 42
----------------------------------------------------------------------
Ran 5 tests in 0.001s

FAILED (failures=1, errors=2, skipped=1, expected failures=1)
"""
CARGO = """
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Running tests/a.rs
test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
error: test failed, to rerun pass `--test a`
"""
GO = """--- FAIL: TestSecret (0.00s)
    a_test.go:5: secret
    --- FAIL: TestSecret/inner (0.00s)
FAIL
FAIL\texample.org/a\t0.002s
ok  \texample.org/b\t0.001s
ok  \texample.org/c\t(cached)
FAIL
"""
JEST = """
Test Suites: 1 failed, 1 total
Tests:       1 failed, 2 skipped, 12 passed, 15 total
Snapshots:   0 total
Time:        0.5 s
"""
VITEST = """
 \x1b[2m Test Files \x1b[22m \x1b[31m1 failed\x1b[39m\x1b[90m (1)\x1b[39m
 \x1b[2m      Tests \x1b[22m \x1b[31m1 failed\x1b[39m\x1b[2m | \x1b[22m\x1b[32m2 passed\x1b[39m\x1b[90m (3)\x1b[39m
   Duration  300ms
"""
MAVEN = """[INFO] Tests run: 2, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.01 s -- in org.Secret
[ERROR] Tests run: 5, Failures: 1, Errors: 0, Skipped: 2
"""
DOTNET = "Failed!  - Failed:     1, Passed:     2, Skipped:     3, Total:     6, Duration: 9 ms - a.dll (net8.0)"


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        (PYTEST, "3 failed, 12 passed, 1 skipped"),
        ("3 failed in 0.12s", "3 failed"),
        (COLOURED, "1 failed, 7 passed"),
        ("1 passed, 1 error in 0.01s", "1 error, 1 passed"),
        ("no tests ran in 0.01s", ""),
        (UNITTEST, "1 failed, 2 errors, 1 passed, 1 skipped"),
        ("Ran 1 test in 0.000s\n\nOK\n", "1 passed"),
        (CARGO, "1 failed, 5 passed, 1 skipped"),
        (NEXTEST, "1 failed, 4 passed, 2 skipped"),
        (GO, "1 failed, 1 package failed, 2 packages passed"),
        ("ok  \texample.org/b\t0.001s\tcoverage: 80.0% of statements", "1 package passed"),
        (JEST, "1 failed, 12 passed, 2 skipped"),
        (VITEST, "1 failed, 2 passed"),
        ("  12 passing (10ms)\n  1 pending\n  2 failing\n\n  1) secret\n", "2 failed, 12 passed, 1 skipped"),
        ("# tests 4\n# pass 3\n# fail 1\n# skipped 0\n", "1 failed, 3 passed"),
        ("ℹ pass 3\nℹ fail 0\n", "3 passed"),
        (" 3 pass\n 1 fail\nRan 4 tests across 2 files. [10.00ms]\n", "1 failed, 3 passed"),
        ("FAILED | 2 passed | 1 failed (10ms)", "1 failed, 2 passed"),
        ("OK (3 tests, 5 assertions)", "3 passed"),
        ("Tests: 5, Assertions: 9, Failures: 1, Skipped: 1.", "1 failed, 3 passed, 1 skipped"),
        ("12 examples, 1 failure, 2 pending", "1 failed, 9 passed, 2 skipped"),
        ("5 runs, 7 assertions, 1 failures, 0 errors, 0 skips", "1 failed, 4 passed"),
        (MAVEN, "1 failed, 2 passed, 2 skipped"),
        ("5 tests completed, 1 failed", "1 failed, 4 passed"),
        (DOTNET, "1 failed, 2 passed, 3 skipped"),
        ("75% tests passed, 1 tests failed out of 4", "1 failed"),
        # No summary, or none that is a line of its own.
        ("", ""),
        ("12 failed attempts in a log", ""),
        ("the secret is 12 passed in 1s of it", ""),
        ("99999999999 passed in 1s", ""),
        ("3 passed in 1s\n" + "x\n" * MAX_LINES, ""),
        ("3 passed in 1s" + " " * 20_000, ""),
    ],
)  # fmt: skip
def test_what_is_shown(printed: str, said: str) -> None:
    assert tally(printed) == said


WORDS = "failed|error|errors|passed|skipped|package failed|packages failed|package passed|packages passed"
PIECES = (
    "3",
    " ",
    "passed",
    "failed",
    ", ",
    " in 1s",
    "\n",
    "Tests: ",
    "x",
    "ok",
    "\t",
    "(1)",
    "=",
    "OK (",
    "failures=1)",
)


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)))
def test_nothing_else_ever_gets_through(text: str) -> None:
    assert re.fullmatch(rf"(?:\d+ (?:{WORDS})(?:, \d+ (?:{WORDS}))*)?", tally(text))
