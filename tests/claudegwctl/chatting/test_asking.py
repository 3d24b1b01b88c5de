from __future__ import annotations

from claudegwctl.chatting.asking import ChatAnswer, ask
from tests.claudegwctl.speaking import speaking

STREAM = b"""\
data: {"model": "claude-x", "choices": [{"delta": {"role": "assistant"}}]}

data: {"model": "claude-x", "choices": [{"delta": {"content": "Hel"}}]}

data: {"model": "claude-x", "choices": [{"delta": {"content": "lo"}, "finish_reason": "length"}]}

data: {"model": "claude-x", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}

data: [DONE]

"""


def test_the_text_comes_in_pieces_and_the_rest_is_told() -> None:
    shown: list[str] = []
    with speaking(STREAM) as (address, _):
        told = ask(address, {"model": "sonnet"}, None, shown.append)
    assert shown == ["Hel", "lo"]
    assert told.first_token_seconds is not None
    assert 0 < told.first_token_seconds <= told.seconds
    assert told.summary().startswith("claude-x · 3 + 2 tokens · first token after ")
    assert told.summary().endswith(" · worker warm · finish reason length")


def test_what_is_not_known_is_not_told() -> None:
    assert ChatAnswer(model="sonnet").summary() == "sonnet"
