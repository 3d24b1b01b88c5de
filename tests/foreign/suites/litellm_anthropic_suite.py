"""LiteLLM with `anthropic/…` models: it speaks Anthropic's API to the gateway. JUDGED_URL is the base URL, with /v1."""

from __future__ import annotations

import json
import os
from typing import Any

import litellm
import pytest

ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}

litellm.telemetry = False


def asking(question: str, **more: Any) -> dict[str, Any]:
    return {
        "model": "anthropic/claude-sonnet-4-20250514",
        "api_base": os.environ["JUDGED_URL"].removesuffix("/v1"),
        "api_key": "sk-false-client",
        "num_retries": 0,
        "timeout": 60,
        "messages": [{"role": "user", "content": question}],
        **more,
    }


def test_a_plain_answer() -> None:
    answer = litellm.completion(**asking("Grüße, 世界 🎉"))
    assert answer.choices[0].message.content == "Grüße, 世界 🎉"
    assert answer.choices[0].finish_reason == "stop"


def test_a_stream() -> None:
    chunks = list(litellm.completion(**asking("a b c d e f g"), stream=True))
    whole = litellm.stream_chunk_builder(chunks)
    assert whole is not None
    assert whole.choices[0].message.content == "a b c d e f g"


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_and_its_result(stream: bool) -> None:
    answer = litellm.completion(**asking("Please add 7.", tools=[ADD], stream=stream))
    whole = litellm.stream_chunk_builder(list(answer)) if stream else answer
    assert whole is not None
    [call] = whole.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("add", {"a": 7, "b": 7})
    body = asking("", tools=[ADD])
    body["messages"] = [
        {"role": "user", "content": "Please add 7."},
        {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": "14"},
    ]
    assert litellm.completion(**body).choices[0].message.content == "The result is 14."


def test_a_prompt_that_is_too_long_is_known_as_that() -> None:
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion(**asking("This is too long."))


def test_an_unknown_model_is_not_found() -> None:
    with pytest.raises(litellm.NotFoundError):
        litellm.completion(**{**asking("x"), "model": "anthropic/claude-none"})
