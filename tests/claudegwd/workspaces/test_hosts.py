"""Hosts as rules see them: tests/claudegwd/workspaces/test_policy.py."""

from __future__ import annotations

import pytest

from claudegwd.workspaces.hosts import host_of


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Example.org./x", "example.org"),
        ("http://10.0.0.1", "10.0.0.1"),
        ("https://10.1/", ""),
        ("https://evil.test\\.example.org/", ""),
        ("https://example.org:8443/", ""),
        ("https://[::1]/", ""),
        ("https://[", ""),
        ("ftp://example.org/", ""),
        (None, ""),
    ],
)
def test_the_host_of_a_plain_url(url: object, host: str) -> None:
    assert host_of(url) == host
