from __future__ import annotations

from tests.control_cli import ctl_without_daemon


def test_it_runs_as_a_module() -> None:
    done = ctl_without_daemon("--help")
    assert done.status == 0
    assert done.out.startswith("Usage: claudegwctl ")
