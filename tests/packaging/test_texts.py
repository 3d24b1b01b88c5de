"""What the units and the page on operations say of the daemon's bounds is so."""

import re
from pathlib import Path

import pytest

from claudegwd.daemon.daemon import DRAIN_SECONDS

ROOT = Path(__file__).parents[2]
SAYING = ("docs/operations.md", *(f"packaging/{name}" for name in (
    "systemd/claudegwd.service", "launchd/claudegwd.agent.plist", "launchd/claudegwd.daemon.plist",
)))  # fmt: skip


@pytest.mark.parametrize("name", SAYING)
def test_running_answers_have_as_long_as_is_said(name: str) -> None:
    said = re.findall(r"for at most (\d+) s\b|answers end \((\d+) s at most\)", (ROOT / name).read_text())
    assert said
    assert {float(a or b) for a, b in said} == {DRAIN_SECONDS}


def test_the_units_give_the_daemon_more_time_than_it_takes() -> None:
    for unit in (ROOT / "packaging/systemd").rglob("*.service"):
        [found] = re.findall(r"^TimeoutStopSec=(\d+)$", unit.read_text(), re.MULTILINE)
        assert float(found) > DRAIN_SECONDS
