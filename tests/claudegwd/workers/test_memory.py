"""Memory as the system tells it."""

import os

from claudegwd.workers.memory import is_short, rss_bytes


def test_our_own_size_is_plausible() -> None:
    assert 5_000_000 < rss_bytes(os.getpid()) < 10_000_000_000


def test_what_cannot_be_known_is_zero() -> None:
    assert rss_bytes(None) == 0
    assert rss_bytes(2**22 + 12345) == 0


def test_a_machine_that_runs_tests_is_not_short() -> None:
    assert not is_short()
