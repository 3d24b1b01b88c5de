"""Paths that are not served, and near misses of those that are."""

from __future__ import annotations

import pytest

from tests.claudegwd.public.test_app import refused


@pytest.mark.parametrize(
    ("method", "path", "meant"),
    [
        ("POST", "/chat/completions", "/v1/chat/completions"),
        ("POST", "/v1/v1/chat/completions", "/v1/chat/completions"),
        ("POST", "/v1/v1/v1/responses", "/v1/responses"),
        ("POST", "/api/v1/chat/completions", "/v1/chat/completions"),
        ("POST", "//chat//completions", "/v1/chat/completions"),
        ("GET", "/models", "/v1/models"),
        ("GET", "/models/opus", "/v1/models/opus"),
    ],
)
async def test_a_wrong_base_url_is_told_the_right_one(method: str, path: str, meant: str) -> None:
    status, error, _ = await refused(method, path)
    assert (status, error["code"]) == (404, "not_found")
    assert "base URL" in error["message"]
    assert error["message"].endswith(f" {meant}")


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1", "/v1/", "/embeddings", "/v1/v1", "/x/v1/", "/\r\n"])
async def test_what_is_nowhere_is_not(path: str) -> None:
    status, error, _ = await refused("GET", path)
    assert status == 404
    assert "base URL" not in error["message"]
    assert error["message"].isprintable()
