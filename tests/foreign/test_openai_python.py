"""Judge: the official Python client, with all it does on top of plain requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from enum import Enum
from typing import Any

import openai
import pytest
import trio
from openai.lib.streaming.chat import ChatCompletionStreamEvent
from pydantic import BaseModel, Field

from claudegwd.demo.replies import refusal, say
from claudegwd.demo.script import ScriptedReply, ScriptedUsage, Text, Thinking, ToolUse
from tests.foreign.judged import CLIENT_KEY, MODEL, Judged

pytestmark = pytest.mark.cli

# Has structured output, where MODEL is asked in words.
STRUCTURED_MODEL = "sonnet"


class Step(BaseModel):
    explanation: str
    value: int | None = Field(description="what it comes to, if anything")


class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


class Solution(BaseModel):
    """A schema with what OpenAI's strict mode makes of pydantic: $defs, $ref, anyOf, enum, arrays."""

    steps: list[Step]
    mood: Mood
    answer: str


class GetWeather(BaseModel):
    """The weather somewhere."""

    city: str
    days: int


@pytest.fixture
def client(gateway: Judged) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gateway.base_url, api_key=CLIENT_KEY, max_retries=0, timeout=30) as made:
        yield made


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


# --- the streaming accumulator ---


def test_the_accumulator_makes_of_a_stream_what_the_plain_answer_is(client: openai.OpenAI) -> None:
    text = 'Grüße, 世界 🎉 \u0000 and \\ "quotes"\n\tend'
    plain = client.chat.completions.create(model=MODEL, messages=user(text))
    with client.chat.completions.stream(
        model=MODEL, messages=user(text), stream_options={"include_usage": True}
    ) as stream:
        events = list(stream)
        streamed = stream.get_final_completion()
    assert streamed.choices[0].message.content == plain.choices[0].message.content == text
    assert streamed.choices[0].finish_reason == plain.choices[0].finish_reason == "stop"
    assert streamed.usage == plain.usage
    assert streamed.choices[0].message.role == "assistant"
    assert [event.content for event in events if event.type == "content.done"] == [text]
    assert "".join(event.delta for event in events if event.type == "content.delta") == text


def test_tool_calls_are_accumulated_one_beside_the_other(gateway: Judged, client: openai.OpenAI) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply(
        (
            Text(("I will ", "look.")),
            ToolUse("toolu_a", "GetWeather", {"city": "Łódź", "days": 1}, pieces=4),
            ToolUse("toolu_b", "GetWeather", {"city": "東京", "days": 22}, pieces=3),
        ),
        stop_reason="tool_use",
    )
    tools = [openai.pydantic_function_tool(GetWeather)]
    with client.chat.completions.stream(model=MODEL, messages=user("Both, please."), tools=tools) as stream:
        events: list[ChatCompletionStreamEvent[None]] = list(stream)
        message = stream.get_final_completion().choices[0].message
    assert message.content == "I will look."
    assert [call.function.parsed_arguments for call in message.tool_calls or []] == [
        GetWeather(city="Łódź", days=1),
        GetWeather(city="東京", days=22),
    ]
    assert [call.id for call in message.tool_calls or []] == ["toolu_a", "toolu_b"]
    done = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    assert [(event.index, event.name) for event in done] == [(0, "GetWeather"), (1, "GetWeather")]
    assert [event.content for event in events if event.type == "content.done"] == ["I will look."]


def test_several_choices_are_told_apart(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=user("three times"), n=3) as stream:
        completion = stream.get_final_completion()
    assert [(c.index, c.message.content) for c in completion.choices] == [(i, "three times") for i in range(3)]


def test_reasoning_reaches_the_client_as_a_field_of_its_own(gateway: Judged, client: openai.OpenAI) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply(
        (Thinking(("let me ", "see")), Text(("four",))), usage=ScriptedUsage(10, 9, thinking_tokens=7)
    )
    with client.chat.completions.stream(
        model="sonnet", messages=user("2+2"), reasoning_effort="high", stream_options={"include_usage": True}
    ) as stream:
        chunks = [event.chunk for event in stream if event.type == "chunk"]
        completion = stream.get_final_completion()
    deltas = [choice.delta.model_extra or {} for chunk in chunks for choice in chunk.choices]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "let me see"
    assert completion.choices[0].message.content == "four"
    assert completion.usage is not None
    assert completion.usage.completion_tokens_details is not None
    assert completion.usage.completion_tokens_details.reasoning_tokens == 7


def test_an_answer_cut_by_its_limit_is_told_by_the_helpers(gateway: Judged, client: openai.OpenAI) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Text(('{"steps": [',)),), stop_reason="max_tokens")
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model=MODEL, messages=user("Solve."), response_format=Solution)
    with (
        pytest.raises(openai.LengthFinishReasonError),
        client.chat.completions.stream(model=MODEL, messages=user("Solve."), response_format=Solution) as stream,
    ):
        stream.until_done()


def test_a_refusal_is_told_by_the_helpers(gateway: Judged, client: openai.OpenAI) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((), stop_reason="refusal")
    with pytest.raises(openai.ContentFilterFinishReasonError):
        client.chat.completions.parse(model=MODEL, messages=user("Be evil."), response_format=Solution)


@pytest.mark.parametrize("parts", [(), ("I would ", "rather not.")])
def test_a_refusal_stands_in_its_own_field(gateway: Judged, client: openai.OpenAI, parts: tuple[str, ...]) -> None:
    gateway.endpoint.script = lambda _: refusal(*parts)
    wanted: dict[str, Any] = {"model": MODEL, "messages": user("Be evil.")}
    choice = client.chat.completions.create(**wanted).choices[0]
    assert choice.finish_reason == "content_filter"
    assert choice.message.refusal
    assert choice.message.content == ("".join(parts) or None)
    deltas = [chunk.choices[0].delta for chunk in client.chat.completions.create(**wanted, stream=True)]
    assert "".join(delta.refusal or "" for delta in deltas) == choice.message.refusal
    assert "".join(delta.content or "" for delta in deltas) == "".join(parts)


# --- structured answers ---


@pytest.mark.parametrize("model", [MODEL, STRUCTURED_MODEL])
def test_parse_returns_the_pydantic_model(client: openai.OpenAI, model: str) -> None:
    completion = client.chat.completions.parse(model=model, messages=user("Solve 40 + 2."), response_format=Solution)
    parsed = completion.choices[0].message.parsed
    assert isinstance(parsed, Solution)
    assert (parsed.mood, parsed.steps[0].value) == (Mood.GOOD, 2)


@pytest.mark.parametrize("model", [MODEL, STRUCTURED_MODEL])
def test_a_streamed_schema_is_parsed_on_the_way_and_at_the_end(client: openai.OpenAI, model: str) -> None:
    with client.chat.completions.stream(
        model=model, messages=user("Solve 40 + 2."), response_format=Solution
    ) as stream:
        events = list(stream)
        completion = stream.get_final_completion()
    assert isinstance(completion.choices[0].message.parsed, Solution)
    [done] = [event for event in events if event.type == "content.done"]
    assert isinstance(done.parsed, Solution)
    assert any(event.parsed for event in events if event.type == "content.delta")


def test_parsed_tools_and_a_schema_go_together(client: openai.OpenAI) -> None:
    tools = [openai.pydantic_function_tool(GetWeather)]
    wanted: dict[str, Any] = {"model": MODEL, "tools": tools, "response_format": Solution}
    messages = user("How is GetWeather for 3 days?")
    first = client.chat.completions.parse(messages=messages, **wanted).choices[0].message
    [call] = first.tool_calls or []
    assert isinstance(call.function.parsed_arguments, GetWeather)
    assert call.function.parsed_arguments.days == 3
    messages += [first, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    last = client.chat.completions.parse(messages=messages, **wanted).choices[0].message
    assert isinstance(last.parsed, Solution)
    assert "sunny" in last.parsed.answer


# --- loops of tool calls ---


def rounds(client: openai.OpenAI, count: int) -> list[Any]:
    """An agent's loop as people write it: the message goes back as the client gave it, then the results."""
    messages: list[Any] = user("Count with GetWeather.")
    tools = [openai.pydantic_function_tool(GetWeather)]
    for number in range(count):
        message = client.chat.completions.parse(model=MODEL, messages=messages, tools=tools).choices[0].message
        messages.append(message)
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": json.dumps({"round": number})}
            for call in message.tool_calls or []
        ]
    messages.append(client.chat.completions.create(model=MODEL, messages=messages, tools=tools).choices[0].message)
    return messages


def test_an_agents_loop_resends_the_clients_own_objects(gateway: Judged, client: openai.OpenAI) -> None:
    def script(request: Any) -> ScriptedReply:
        number = len(request.messages) // 2
        if number == 5:
            return say("counted")
        call = ToolUse(f"toolu_{number}", "GetWeather", {"city": "Bern", "days": number})
        return ScriptedReply((Text((f"round {number}",)), call), stop_reason="tool_use")

    gateway.endpoint.script = script
    messages = rounds(client, 5)
    assert messages[-1].content == "counted"
    last = gateway.upstream()[-1]
    results = [block for m in last.messages if m["role"] == "user" for block in m["content"]]
    assert [json.loads(block["content"][0]["text"])["round"] for block in results[1:]] == [0, 1, 2, 3, 4]


# --- the asynchronous client, under both event loops ---


async def ask_at_once(gateway: Judged) -> list[str]:
    async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key=CLIENT_KEY, max_retries=0, timeout=30) as client:
        async with client.chat.completions.stream(model=MODEL, messages=user("streamed")) as stream:
            answers = [event.content async for event in stream if event.type == "content.done"]
        parsed = await client.chat.completions.parse(model=MODEL, messages=user("1"), response_format=Step)
        assert isinstance(parsed.choices[0].message.parsed, Step)
        return answers


def test_the_asynchronous_client_under_asyncio(gateway: Judged) -> None:
    assert asyncio.run(ask_at_once(gateway)) == ["streamed"]


def test_the_asynchronous_client_under_trio(gateway: Judged) -> None:
    assert trio.run(ask_at_once, gateway) == ["streamed"]


def test_many_streams_at_once_are_not_mixed_up(gateway: Judged) -> None:
    async def one(client: openai.AsyncOpenAI, number: int) -> str | None:
        async with client.chat.completions.stream(model=MODEL, messages=user(f"number {number}")) as stream:
            return (await stream.get_final_completion()).choices[0].message.content

    async def all_of_them() -> list[str | None]:
        async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key=CLIENT_KEY, timeout=30) as client:
            return list(await asyncio.gather(*(one(client, number) for number in range(8))))

    assert asyncio.run(all_of_them()) == [f"number {number}" for number in range(8)]


# --- what else the client offers ---


def test_models_are_listed_and_retrieved(client: openai.OpenAI) -> None:
    listed = list(client.models.list())
    assert MODEL in [model.id for model in listed]
    for model in listed[:3]:
        assert client.models.retrieve(model.id) == model


def test_what_is_not_offered_is_the_clients_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.embeddings.create(model="text-embedding-3-small", input="a")
    assert refused.value.type == "invalid_request_error"


def test_the_errors_are_the_clients_own_classes(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gpt-5", messages=user("a"))
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model=MODEL, messages=[])
    assert wrong.value.param == "messages"
    with (
        pytest.raises(openai.BadRequestError) as unsupported,
        client.chat.completions.stream(model=MODEL, messages=user("a"), logprobs=True) as stream,
    ):
        stream.until_done()
    assert (unsupported.value.code, unsupported.value.param) == ("unsupported_parameter", "logprobs")
    assert unsupported.value.request_id is not None
