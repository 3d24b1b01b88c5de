"""The default bounds pass what is real."""

import json

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat.request import parse_chat_request


def test_a_hundred_large_tools_and_a_long_history_pass() -> None:
    properties = {f"property_{n}": {"type": "string", "description": "d" * 100} for n in range(60)}
    body = {
        "model": "sonnet",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "[{," * 10_000}]}] * 1000,
        "tools": [
            {"type": "function", "function": {"name": f"tool_{n}", "parameters": {"properties": properties}}}
            for n in range(200)
        ],
    }
    request = parse_chat_request(json.dumps(body).encode(), Bounds())
    assert (len(request.messages), len(request.tools)) == (1000, 200)
