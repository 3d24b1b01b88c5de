"""Which processes are too many, or hold too much."""

from __future__ import annotations

import pytest

from claudegwd.workspaces.crowd import Process, excess


@pytest.mark.parametrize(
    ("memory", "most", "bytes_", "ended"),
    [
        ([], 2, 10, None),
        ([5, 5], 2, 10, None),
        ([5, 5, 0], 2, 10, -1),
        ([5, 6], 2, 10, 3),
        ([6, 5], 2, 10, 2),
        ([11], 2, 10, 2),
        ([20, 20, 20], 2, 10, -1),
    ],
)
def test_what_is_ended(memory: list[int], most: int, bytes_: int, ended: int | None) -> None:
    processes = [Process(pid, each) for pid, each in enumerate(memory, 2)]
    assert excess(processes, most, bytes_) == ended
