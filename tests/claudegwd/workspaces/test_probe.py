from __future__ import annotations

from claudegwd.workspaces.probe import probe


def test_what_is_missing_is_found_by_trying() -> None:
    found = probe()
    assert found != ("it cannot be tested here",)
    assert all(" " in lack for lack in found)
