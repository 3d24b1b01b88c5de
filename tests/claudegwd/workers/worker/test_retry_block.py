"""The retry block: where it works, and that nothing can be sent to it."""

from urllib.parse import urlsplit

import pytest

from claudegwd.workers.worker.retry_block import SETTINGS, can_block


def test_its_address_is_none_at_all() -> None:
    """A proxy would be asked for any that is valid, with the token."""
    with pytest.raises(ValueError, match="Invalid IPv6 URL"):
        urlsplit(SETTINGS["env"]["ANTHROPIC_BASE_URL"])


@pytest.mark.parametrize(
    ("env", "can"),
    [
        ({}, True),
        ({"ANTHROPIC_AUTH_TOKEN": "sk-false-1", "ANTHROPIC_BASE_URL": "http://upstream.invalid"}, True),
        ({"CLAUDE_CODE_USE_BEDROCK": "1"}, False),
        ({"CLAUDE_CODE_USE_VERTEX": "true"}, False),
        ({"CLAUDE_CODE_USE_VERTEX": "0"}, True),
    ],
)
def test_what_has_an_address_of_its_own_cannot_be_blocked(env: dict[str, str], can: bool) -> None:
    assert can_block(env) is can
