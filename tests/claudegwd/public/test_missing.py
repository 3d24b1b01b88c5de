"""Paths that are not served, and near misses of those that are."""

from __future__ import annotations

import pytest

from claudegwd.public.app import public_app
from tests.claudegwd.public.test_app import gateway, refused


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


@pytest.mark.parametrize(
    ("path", "base", "meant"),
    [
        ("/v1/v1/messages", "", "/v1/messages"),  # Anthropic's own clients add the version themselves
        ("/v1/v1/messages/count_tokens", "", "/v1/messages/count_tokens"),
        ("/v1/messages/v1/messages", "", "/v1/messages"),
        ("/api/v1/messages", "", "/v1/messages"),
        ("/v1/v1/models", "", "/v1/models"),
        ("/messages", "/v1", "/v1/messages"),  # and others have it in the base URL
        ("/models/opus", "/v1", "/v1/models/opus"),
    ],
)
async def test_a_client_of_anthropics_api_is_told_the_base_url_of_its_kind(path: str, base: str, meant: str) -> None:
    client = public_app(gateway()).test_client()
    method = "GET" if "models" in path else "POST"
    asked = {"json": {}} if method == "POST" else {}
    response = await client.open(path, method=method, headers={"anthropic-version": "2023-06-01"}, **asked)
    told = await response.get_json()
    assert (response.status_code, told["error"]["type"]) == (404, "not_found_error")
    assert f"is http://HOST:PORT{base} and nothing more" in told["error"]["message"]
    assert told["error"]["message"].endswith(f" {meant}")
    _, error, _ = await refused(method, path)
    assert (f"HOST:PORT{base} and " in error["message"]) or "models" in path  # which has no route of Anthropic's alone


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1", "/v1/", "/embeddings", "/v1/v1", "/x/v1/", "/\r\n"])
async def test_what_is_nowhere_is_not(path: str) -> None:
    status, error, _ = await refused("GET", path)
    assert status == 404
    assert "base URL" not in error["message"]
    assert error["message"].isprintable()
