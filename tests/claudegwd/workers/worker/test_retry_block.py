"""The retry block: whose address it takes, and that nothing can be sent to what it leaves."""

from urllib.parse import urlsplit

import pytest

from claudegwd.workers.worker.retry_block import address_variable, blocking


def test_its_address_is_none_at_all() -> None:
    """A proxy would be asked for any that is valid, with the token."""
    with pytest.raises(ValueError, match="Invalid IPv6 URL"):
        urlsplit(blocking("ANTHROPIC_BASE_URL")["env"]["ANTHROPIC_BASE_URL"])


@pytest.mark.parametrize(
    ("env", "variable"),
    [
        ({}, "ANTHROPIC_BASE_URL"),
        ({"ANTHROPIC_AUTH_TOKEN": "sk-false-1", "ANTHROPIC_BASE_URL": "http://upstream.invalid"}, "ANTHROPIC_BASE_URL"),
        ({"CLAUDE_CODE_USE_BEDROCK": "1"}, "ANTHROPIC_BEDROCK_BASE_URL"),
        ({"CLAUDE_CODE_USE_VERTEX": "true"}, "ANTHROPIC_VERTEX_BASE_URL"),
        ({"CLAUDE_CODE_USE_VERTEX": "0"}, "ANTHROPIC_BASE_URL"),
    ],
)
def test_each_service_has_an_address_of_its_own(env: dict[str, str], variable: str) -> None:
    assert address_variable(env) == variable
