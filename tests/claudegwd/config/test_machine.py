"""The default number of workers."""

from pathlib import Path

import pytest

from claudegwd.config.machine import LEAST_WORKERS, MOST_WORKERS, groups_of, machine, workers_for

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


def test_a_container_has_less(tmp_path: Path) -> None:
    cores, memory = machine([])
    inner, outer = tmp_path / "outer" / "inner", tmp_path / "outer"
    inner.mkdir(parents=True)
    assert machine([inner, outer]) == (cores, memory)
    (inner / "cpu.max").write_text("max 100000\n")
    (inner / "memory.max").write_text("max\n")
    assert machine([inner, outer]) == (cores, memory)
    (outer / "cpu.max").write_text("50000 100000\n")
    (outer / "memory.max").write_text("1000000\n")
    assert machine([inner, outer]) == (1, 1_000_000)
    (outer / "memory.max").write_text(f"{2 * memory}\n")
    assert machine([inner, outer]) == (1, memory)


def test_our_group_and_those_around_it_are_looked_at(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("1:name=systemd:/other\n0::/system.slice/claudegwd.service\n")
    top = Path("/sys/fs/cgroup")
    assert groups_of(membership) == [top / "system.slice/claudegwd.service", top / "system.slice", top]
    membership.write_text("0::/\n")
    assert groups_of(membership) == [top]
    assert groups_of(tmp_path / "absent") == []
