from __future__ import annotations

import pytest

from claudegwd.config.hosts import is_host


@pytest.mark.parametrize("text", ["localhost", "redis_1", "a.example.", "b\u00fccher.example", "10.0.0.1", "::1"])
def test_hosts(text: str) -> None:
    assert is_host(text)


@pytest.mark.parametrize("text", ["", "a..b", ".a", f"{'x' * 64}.example"])
def test_what_cannot_be_looked_up(text: str) -> None:
    assert not is_host(text)
