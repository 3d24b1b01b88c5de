"""Memory as the system tells it."""

import os
from pathlib import Path

import pytest

from claudegwd.workers.pool.memory import is_group_short, is_short, rss_bytes


def test_our_own_size_is_plausible() -> None:
    assert 5_000_000 < rss_bytes(os.getpid()) < 10_000_000_000


def test_what_cannot_be_known_is_zero() -> None:
    assert rss_bytes(None) == 0
    assert rss_bytes(2**22 + 12345) == 0


def test_a_machine_that_runs_tests_is_not_short() -> None:
    assert not is_short()


@pytest.mark.parametrize(
    ("limit", "current", "file", "short"),
    [
        ("1000000", "900000", "0", False),
        ("1000000", "960000", "0", True),
        ("1000000", "1000000", "600000", False),  # what a file's pages take can be had back
        ("max", "1000000", "0", False),
        (None, None, None, False),
    ],
)
def test_a_group_near_its_limit_is_short(
    tmp_path: Path, limit: str | None, current: str | None, file: str | None, short: bool
) -> None:
    if limit is not None:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{current}\n")
        (tmp_path / "memory.stat").write_text(f"anon 1\nfile {file}\nfile_mapped 7\n")
    assert is_group_short(tmp_path) is short
