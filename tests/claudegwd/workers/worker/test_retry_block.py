"""For which logins the retry block works."""

import pytest

from claudegwd.workers.worker.retry_block import can_block


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
