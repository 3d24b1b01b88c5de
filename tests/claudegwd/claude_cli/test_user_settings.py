"""What is taken of the user's settings.json, and what is not."""

import json

import pytest

from claudegwd.claude_cli.user_settings import UserSettings, read_user_settings


def test_only_what_reaches_and_pays_the_upstream_is_taken() -> None:
    settings = {
        "apiKeyHelper": "/home/u/bin/key",
        "env": {
            "ANTHROPIC_BASE_URL": "https://relay.example", "HTTPS_PROXY": "http://proxy.example:3128",
            "CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "eu-central-1", "PATH": "/evil", "NODE_OPTIONS": "-r x",
            "LD_PRELOAD": "/x.so", "HOME": "/x", "CLAUDE_CODE_EXTRA_BODY": "{}", "ANTHROPIC_AUTH_TOKEN": "",
            "AWS_PROFILE": 5, "AWS_ROLE_ARN": "a\0b",
        },
        "hooks": {"Stop": []}, "permissions": {}, "model": "opus",
    }  # fmt: skip
    found = read_user_settings(json.dumps(settings).encode())
    assert found.env == {
        "ANTHROPIC_BASE_URL": "https://relay.example", "HTTPS_PROXY": "http://proxy.example:3128",
        "CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "eu-central-1",
    }  # fmt: skip
    assert json.loads(found.as_json()) == {"apiKeyHelper": "/home/u/bin/key"}


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"5", b"\xff", b'{"env": []}', b'{"env": null, "apiKeyHelper": 5}', b"[" * 100_000]
)
def test_another_shape_is_nothing(data: bytes) -> None:
    assert read_user_settings(data) == UserSettings()
    assert UserSettings().as_json() == ""


def test_no_value_is_shown() -> None:
    found = read_user_settings(b'{"env": {"ANTHROPIC_API_KEY": "sk-false-1"}, "apiKeyHelper": "echo sk-false-2"}')
    assert "sk-false" not in repr(found)
