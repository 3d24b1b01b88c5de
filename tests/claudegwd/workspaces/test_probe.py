from __future__ import annotations

from pathlib import Path

import pytest
import trio

from claudegwd.workspaces.probe import UNTRIED, probe


def test_what_is_missing_is_found_by_trying() -> None:
    found = probe()
    assert found != UNTRIED
    assert all(" " in lack for lack in found)


async def test_a_trial_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hangs.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr("claudegwd.workspaces.confine.__file__", str(tmp_path / "hangs.py"))
    monkeypatch.setattr("claudegwd.workspaces.probe.PROBE_SECONDS", 0.2)
    with trio.fail_after(20):
        assert await trio.to_thread.run_sync(probe) == UNTRIED
