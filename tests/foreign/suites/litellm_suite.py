"""LiteLLM as a client of the gateway: the library that most agents call models through.

JUDGED_URL is the gateway's base URL, with /v1.
"""

from __future__ import annotations

import json
import os
from typing import Any

import litellm
import pytest
from pydantic import BaseModel

MODEL = "openai/claude-sonnet-4-20250514"
THINKING_MODEL = "openai/sonnet"
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
litellm.drop_params = False  # what it would drop in silence must reach the gateway, or fail


def asking(question: str, **more: Any) -> dict[str, Any]:
    return {
        "model": MODEL,
        "base_url": os.environ["JUDGED_URL"],
        "api_key": "sk-false-client",
        "num_retries": 0,
        "timeout": 60,
        "messages": [{"role": "user", "content": question}],
        **more,
    }


class Verdict(BaseModel):
    fair: bool
    why: str


def test_a_plain_answer() -> None:
    answer = litellm.completion(**asking("Grüße, 世界 🎉"))
    assert answer.choices[0].message.content == "Grüße, 世界 🎉"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_an_asynchronous_answer() -> None:
    answer = await litellm.acompletion(**asking("hello"))
    assert answer.choices[0].message.content == "hello"


def test_a_stream_and_what_its_builder_makes_of_it() -> None:
    chunks = list(
        litellm.completion(**asking("a b c d e f g h i j"), stream=True, stream_options={"include_usage": True})
    )
    whole = litellm.stream_chunk_builder(chunks)
    assert whole is not None
    assert whole.choices[0].message.content == "a b c d e f g h i j"
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage.completion_tokens == 5


async def test_an_asynchronous_stream() -> None:
    stream = await litellm.acompletion(**asking("one two three"), stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "one two three"


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_call_and_its_result(stream: bool) -> None:
    wanted = asking("add 4 and 4", tools=[ADD], tool_choice="auto", parallel_tool_calls=False)
    first = message(litellm.completion(**wanted, stream=stream))
    [call] = first.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("add", {"a": 4, "b": 4})
    # As agents do it: LiteLLM's own message goes back, with whatever fields it has.
    wanted["messages"] += [
        first.model_dump(),
        {"role": "tool", "tool_call_id": call.id, "name": "add", "content": [{"type": "text", "text": "8"}]},
    ]
    last = message(litellm.completion(**wanted, stream=stream))
    assert last.content == "The result is 8."


def test_reasoning_arrives_in_its_own_field() -> None:
    wanted = asking("Think before you answer.", model=THINKING_MODEL, reasoning_effort="high")
    plain = litellm.completion(**wanted).choices[0].message
    assert (plain.reasoning_content, plain.content) == ("Let me think.", "Think before you answer.")
    streamed = message(litellm.completion(**wanted, stream=True))
    assert (streamed.reasoning_content, streamed.content) == (plain.reasoning_content, plain.content)


def test_a_schema_of_pydantic() -> None:
    answer = litellm.completion(**asking("Is it?", response_format=Verdict))
    assert Verdict.model_validate_json(answer.choices[0].message.content) == Verdict(fair=True, why="Is it?")


def test_common_parameters_are_taken_together() -> None:
    answer = litellm.completion(
        **asking("one STOP two"), temperature=0.2, top_p=0.95, max_tokens=50, stop=["STOP"], n=1, seed=7, user="u",
        presence_penalty=0, frequency_penalty=0,
    )  # fmt: skip
    assert answer.choices[0].message.content == "one "


def test_errors_are_of_the_classes_that_clients_act_upon() -> None:
    with pytest.raises(litellm.NotFoundError):
        litellm.completion(**asking("a", model="openai/gpt-5"))
    with pytest.raises(litellm.BadRequestError):
        litellm.completion(**asking("a", logprobs=True))
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion(**asking("Be too long."))


def test_the_models_are_listed() -> None:
    found = litellm.get_valid_models(
        check_provider_endpoint=True, custom_llm_provider="openai", api_key="sk-false-client",
        api_base=os.environ["JUDGED_URL"].removesuffix("/v1"),
    )  # fmt: skip
    assert MODEL.removeprefix("openai/") in [model.removeprefix("openai/") for model in found]


def message(answer: Any) -> Any:
    """The message of an answer, streamed or not."""
    whole = answer if hasattr(answer, "choices") else litellm.stream_chunk_builder(list(answer))
    assert whole is not None
    return whole.choices[0].message
