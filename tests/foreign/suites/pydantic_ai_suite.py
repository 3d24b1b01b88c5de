"""pydantic-ai with its Anthropic provider: agents with tools, results by schema, streams.

JUDGED_URL is the gateway's base URL, with /v1.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, ModelHTTPError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider


def model(name: str = "claude-sonnet-4-20250514") -> AnthropicModel:
    base_url = os.environ["JUDGED_URL"].removesuffix("/v1")
    return AnthropicModel(name, provider=AnthropicProvider(base_url=base_url, api_key="sk-false-client"))


class Verdict(BaseModel):
    fair: bool
    why: str


async def test_a_plain_answer() -> None:
    result = await Agent(model(), instructions="Be brief.").run("Grüße, 世界 🎉")
    assert result.output == "Grüße, 世界 🎉"
    assert result.usage.input_tokens > 0


async def test_a_stream() -> None:
    async with Agent(model()).run_stream("one two three") as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
    assert "".join(pieces) == "one two three"
    assert len(pieces) > 1


async def test_an_agent_calls_its_tool_and_goes_on() -> None:
    agent: Agent[Any, str] = Agent(model())
    called: list[tuple[int, int]] = []

    @agent.tool_plain
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        called.append((a, b))
        return a + b

    result = await agent.run("Please add 7.")
    assert called == [(7, 7)]
    assert "14" in result.output


async def test_a_result_by_schema() -> None:
    result = await Agent(model(), output_type=Verdict).run("Is it fair?")
    assert isinstance(result.output, Verdict)


async def test_an_unknown_model_is_an_error_with_its_status() -> None:
    with pytest.raises(ModelHTTPError) as refused:
        await Agent(model("claude-none")).run("x")
    assert refused.value.status_code == 404
