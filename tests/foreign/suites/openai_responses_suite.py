"""The official Python client and the Responses API as it is spoken today. JUDGED_URL is the base URL, with /v1."""

from __future__ import annotations

import asyncio
import os

import pytest
from openai import AsyncOpenAI

MODEL = "claude-sonnet-4-20250514"


@pytest.fixture
def client() -> AsyncOpenAI:
    return AsyncOpenAI(base_url=os.environ["JUDGED_URL"], api_key="sk-false-client", max_retries=0, timeout=60)


async def test_a_conversation_on_one_websocket(client: AsyncOpenAI) -> None:
    async with client.responses.connect() as connection:
        previous: dict[str, str] = {}
        for words in ("one", "two"):
            await connection.response.create(model=MODEL, input=words, store=False, **previous)
            deltas = []
            async for event in connection:
                if event.type == "response.output_text.delta":
                    deltas.append(event.delta)
                if event.type == "response.completed":
                    break
            assert "".join(deltas) == event.response.output_text == words
            previous = {"previous_response_id": event.response.id}


async def test_a_long_conversation_is_compacted_and_goes_on(client: AsyncOpenAI) -> None:
    said = {"role": "user", "content": "Remember the number 7."}
    compacted = await client.responses.compact(model=MODEL, input=[said, {"role": "assistant", "content": "I will."}])
    assert compacted.output[-1].type == "compaction"
    history = [item.model_dump(exclude_none=True) for item in compacted.output]
    answer = await client.responses.create(model=MODEL, input=[*history, {"role": "user", "content": "And now?"}])
    assert answer.output_text.endswith("And now?")


async def test_tokens_are_counted(client: AsyncOpenAI) -> None:
    counted = await client.responses.input_tokens.count(model=MODEL, input="x" * 400)
    assert counted.input_tokens == pytest.approx(100, abs=10)


async def test_one_in_the_background_is_polled(client: AsyncOpenAI) -> None:
    made = await client.responses.create(model=MODEL, input="behind", background=True)
    while made.status in ("queued", "in_progress"):
        await asyncio.sleep(0.05)  # as OpenAI's guide says it
        made = await client.responses.retrieve(made.id)
    assert (made.status, made.output_text) == ("completed", "behind")
