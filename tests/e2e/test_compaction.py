"""Conversations that are summarised by the model itself, and what is counted without asking it."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from claudegwd.demo.replies import say
from claudegwd.demo.script import Answer, RecordedRequest, ScriptedReply, ScriptedUsage, Text, ToolUse
from claudegwd.openai_api.responses.compaction import SUMMARISE, SUMMARY_HEAD
from tests.e2e.harness import MODEL, Running, running, secret
from tests.openai_description import validator

pytestmark = pytest.mark.cli

ALPHA = {"type": "function", "name": "alpha", "parameters": {"type": "object", "properties": {}}, "strict": False}
HISTORY: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": "Build a bridge."},
    {"role": "assistant", "content": "It has three arches."},
    {"type": "function_call", "call_id": "c1", "name": "alpha", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": "stones are there"},
    {"role": "assistant", "content": "All is ready."},
]
SUMMARY = "The bridge has three arches; stones are there."


def script(request: RecordedRequest) -> Answer:
    """A summary where one is asked for."""
    if SUMMARISE in json.dumps(request.messages[-1], ensure_ascii=False):
        return ScriptedReply((Text((secret(SUMMARY),)),), usage=ScriptedUsage(100, 10))
    return ScriptedReply((Text(("I go on.",)),), usage=ScriptedUsage(20, 5))


def sent(gateway: Running, index: int = -1) -> str:
    return json.dumps(gateway.upstream()[index].messages, ensure_ascii=False)


async def test_a_conversation_is_compacted_in_one_request_and_goes_on(gateway: Running) -> None:
    gateway.endpoint.script = script
    before = gateway.endpoint.count
    made = await gateway.client.responses.compact(
        model=MODEL, input=HISTORY, instructions="Be kind.", extra_body={"tools": [ALPHA]}
    )
    assert gateway.endpoint.count == before + 1
    assert "Be kind." in json.dumps(gateway.upstream()[-1].body["system"])
    assert (made.object, made.usage.input_tokens, made.usage.output_tokens) == ("response.compaction", 100, 10)
    assert [item.type for item in made.output] == ["message", "compaction"]
    window = [item.model_dump(exclude_none=True) for item in made.output]
    assert SUMMARY not in json.dumps(window)
    response = await gateway.client.responses.create(
        model=MODEL, input=[*window, {"role": "user", "content": "Go on."}]
    )
    assert response.output_text == "I go on."
    told = sent(gateway)
    assert SUMMARY_HEAD.strip() in told
    assert SUMMARY in told
    assert "Build a bridge." in told
    assert "All is ready." not in told


async def test_a_trigger_answers_with_the_compaction_alone(gateway: Running) -> None:
    gateway.endpoint.script = script
    stream = await gateway.client.responses.create(
        model=MODEL, input=[*HISTORY, {"type": "compaction_trigger"}], tools=[ALPHA], stream=True
    )
    seen = [event async for event in stream]
    assert [event.type for event in seen] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.output_item.done",
        "response.completed",
    ]  # fmt: skip
    last = seen[-1]
    assert last.type == "response.completed"
    assert [item.type for item in last.response.output] == ["compaction"]
    await gateway.client.responses.create(model=MODEL, input="Go on.", previous_response_id=last.response.id)
    assert SUMMARY in sent(gateway)
    assert "All is ready." not in sent(gateway)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_over_the_threshold_is_compacted_before_its_answer(gateway: Running, stream: bool) -> None:
    gateway.endpoint.script = script
    given = [*HISTORY, {"role": "user", "content": "x" * 8000}]
    management = [{"type": "compaction", "compact_threshold": 1000}]
    async with (
        gateway.client.responses.stream(model=MODEL, input=given, tools=[ALPHA], context_management=management)
        if stream
        else _made(gateway, given, management) as made
    ):
        response = await made.get_final_response()
    assert [item.type for item in response.output] == ["compaction", "message"]
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (120, 15)
    assert SUMMARY in sent(gateway)
    assert "x" * 8000 in sent(gateway)
    assert "All is ready." not in sent(gateway)
    # With its whole history, and below the threshold now.
    history = [*given, *(item.model_dump(exclude_none=True) for item in response.output)]
    count = gateway.endpoint.count
    after = await gateway.client.responses.create(model=MODEL, input=[*history, {"role": "user", "content": "More."}])
    assert (after.output_text, gateway.endpoint.count) == ("I go on.", count + 1)
    assert "I go on." in sent(gateway)


class _made:  # noqa: N801 - in the place of a stream's manager
    def __init__(self, gateway: Running, given: Any, management: Any) -> None:
        self._asked = lambda: gateway.client.responses.create(
            model=MODEL, input=given, tools=[ALPHA], context_management=management
        )

    async def __aenter__(self) -> _made:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def get_final_response(self) -> Any:
        return await self._asked()


async def test_below_the_threshold_nothing_is_compacted(gateway: Running) -> None:
    gateway.endpoint.script = script
    response = await gateway.client.responses.create(
        model=MODEL, input="Hi.", context_management=[{"type": "compaction", "compact_threshold": 1000}]
    )
    assert [item.type for item in response.output] == ["message"]


async def test_a_compaction_of_another_client_is_refused() -> None:
    config = "[auth]\nrequired = true\n"
    async with running(script, config=config) as gateway:
        keys = [
            (await gateway.control("POST", "/v1/clients", {"name": name})).json()["key"] for name in ("alice", "bob")
        ]
        alice, bob = (gateway.client.with_options(api_key=key) for key in keys)
        made = await alice.responses.compact(model=MODEL, input="Build.")
        compaction = made.output[-1].model_dump(exclude_none=True)
        given = [compaction, {"role": "user", "content": "Go on."}]
        assert (await alice.responses.create(model=MODEL, input=given)).output_text == "I go on."
        for client, item in ((bob, compaction), (alice, {**compaction, "encrypted_content": "gAAAAABforeign"})):
            with pytest.raises(openai.BadRequestError) as caught:
                await client.responses.create(model=MODEL, input=[item, given[1]])
            assert (caught.value.param, caught.value.code) == (
                "input[0].encrypted_content", "invalid_encrypted_content",
            )  # fmt: skip
        await gateway.crash_and_restart()
        assert (await alice.responses.create(model=MODEL, input=given)).output_text == "I go on."


async def test_a_model_that_writes_no_summary_is_an_error(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((ToolUse("toolu_0", "alpha", {}),), stop_reason="tool_use")
    with pytest.raises(openai.APIStatusError) as caught:
        await gateway.client.responses.compact(model=MODEL, input="Build.", extra_body={"tools": [ALPHA]})
    assert (caught.value.status_code, caught.value.code) == (503, "invalid_model_output")


async def test_tokens_are_counted_without_asking(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("never")
    before = gateway.endpoint.count
    raw = await gateway.client.responses.input_tokens.with_raw_response.count(model=MODEL, input="x" * 4000)
    assert raw.parse().input_tokens == pytest.approx(1000, abs=10)
    assert raw.headers["x-claudegw-estimated"] == "input_tokens"
    assert (await gateway.client.responses.input_tokens.count(input="x")).object == "response.input_tokens"
    assert gateway.endpoint.count == before


async def test_the_bodies_are_as_described(gateway: Running) -> None:
    gateway.endpoint.script = script
    counted = await gateway.post({"model": MODEL, "input": "Hi."}, "/v1/responses/input_tokens")
    validator("TokenCountsResource").validate(counted.json())
    made = await gateway.post({"model": MODEL, "input": HISTORY}, "/v1/responses/compact")
    for item in made.json()["output"]:
        validator("OutputItem" if item["type"] == "compaction" else "InputMessage").validate(item)
