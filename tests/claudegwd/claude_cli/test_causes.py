"""Causes, from the texts that CLI 2.1.330 was seen to write."""

import json

import msgspec
import pytest

from claudegwd.claude_cli.causes import DETAIL_MAX, connection_cause, text_of


def message(text: str) -> msgspec.Raw:
    return msgspec.Raw(json.dumps({"content": [{"type": "text", "text": text}]}).encode())


@pytest.mark.parametrize(
    ("text", "api_error", "cause"),
    [
        ("Can't reach the API server — check your internet or DNS (ENOTFOUND)", "connection_failed",
         "name not resolved (ENOTFOUND)"),
        ("Connection refused — a firewall or proxy may be blocking it (ECONNREFUSED)", "connection_failed",
         "connection refused (ECONNREFUSED)"),
        ("Connection dropped (ECONNRESET). Check the gateway set in ANTHROPIC_BASE_URL", "connection_failed",
         "connection dropped (ECONNRESET)"),
        ("Unable to connect to API: Self-signed certificate detected (DEPTH_ZERO_SELF_SIGNED_CERT). The",
         "tls_untrusted_ca", "TLS (DEPTH_ZERO_SELF_SIGNED_CERT)"),
        ("Couldn't connect through your proxy (ERR_PROXY_TUNNEL) — the proxy refused the tunnel", "connection_failed",
         "refused by the proxy (ERR_PROXY_TUNNEL)"),
        ("Request timed out. If the API is slow to answer, or a proxy", None, "timed out"),
        ("Something new (EWHATEVER)", "connection_failed", "EWHATEVER"),
        ("Something new", "connection_failed", "connection_failed"),
        ("Something new", "tls_untrusted_ca", "TLS"),
        ("", None, ""),
    ],
)  # fmt: skip
def test_each_cause_has_its_words(text: str, api_error: str | None, cause: str) -> None:
    assert connection_cause(text_of(message(f"API Error: {text}")), api_error) == cause


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("API Error: 400 messages.0: no\nmore", "messages.0: no more"),
        ("Failed to authenticate. API Error: 403 Your organization", "Your organization"),
        ("Credit balance is too low", "Credit balance is too low"),
        ("x" * 10_000, "x" * DETAIL_MAX),
    ],
)
def test_the_upstreams_own_words(text: str, taken: str) -> None:
    assert text_of(message(text)) == taken


@pytest.mark.parametrize("raw", [b"null", b"{}", b"[]", b'{"content": "x"}', b'{"content": [{"text": 1}]}'])
def test_another_shape_is_no_text(raw: bytes) -> None:
    assert text_of(msgspec.Raw(raw)) == ""
