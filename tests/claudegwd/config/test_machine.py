"""The default number of workers."""

import pytest

from claudegwd.config.machine import LEAST_WORKERS, MOST_WORKERS, machine, workers_for

GB = 1024**3


@pytest.mark.parametrize(
    ("cores", "memory", "workers"),
    [
        (2, 24 * GB, 8),
        (1, 24 * GB, LEAST_WORKERS),
        (8, 4 * GB, 6),
        (8, 512 * 1024**2, LEAST_WORKERS),
        (64, 512 * GB, MOST_WORKERS),
        (4, 0, 16),
    ],
)
def test_memory_and_cores_bound_it(cores: int, memory: int, workers: int) -> None:
    assert workers_for(cores, memory) == workers


def test_this_machine_has_some_of_both() -> None:
    cores, memory = machine()
    assert cores >= 1
    assert memory > 0
