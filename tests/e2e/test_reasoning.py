"""Reasoning: asked for by effort, shown apart from the answer, and kept signed for what comes after."""

from __future__ import annotations

from typing import Any

import pytest

from claudegwd.demo.replies import blocks, say
from claudegwd.demo.script import ScriptedReply, ScriptedUsage, Text, Thinking, ToolUse
from tests.e2e.harness import Messages, Running, as_messages, secret

pytestmark = pytest.mark.cli

ADAPTIVE = "sonnet"
TOOLS = [{"type": "function", "function": {"name": "alpha", "parameters": {"type": "object"}}}]
THOUGHT = Thinking(("Let me ", secret("think.")), signature="c2lnbmVk")
USED = ScriptedUsage(output_tokens=50, thinking_tokens=40)


async def test_an_older_model_does_not_think_unless_asked(gateway: Running) -> None:
    await gateway.ask("Plain.", temperature=0.5)
    [request] = gateway.upstream()
    assert request.body.get("thinking", {"type": "disabled"}) == {"type": "disabled"}
    assert request.body["temperature"] == 0.5


async def test_effort_is_a_budget_there(gateway: Running) -> None:
    answer = await gateway.ask("Think.", reasoning_effort="low", temperature=0.5)
    [request] = gateway.upstream()
    assert request.body["thinking"] == {"type": "enabled", "budget_tokens": 4096}
    assert request.body.get("temperature") in (None, 1)  # the API takes no other while it thinks
    assert "temperature" in answer.headers["x-claudegw-ignored"]


async def test_the_budget_leaves_room_for_the_answer(gateway: Running) -> None:
    await gateway.ask("Think a little.", reasoning_effort="high", max_tokens=4000)
    [request] = gateway.upstream()
    assert 1024 <= request.body["thinking"]["budget_tokens"] < request.body["max_tokens"]


async def test_newer_models_take_the_effort_itself_and_forget_it(gateway: Running) -> None:
    messages = as_messages("Think hard.")
    answer = await gateway.ask(messages, model=ADAPTIVE, reasoning_effort="high")
    messages += [{"role": "assistant", "content": answer.text}, {"role": "user", "content": "Again."}]
    assert (await gateway.ask(messages, model=ADAPTIVE, reasoning_effort="low")).how == "warm"
    efforts = [request.body["output_config"]["effort"] for request in gateway.upstream()]
    assert efforts == ["high", "low"]


async def test_an_effort_that_the_model_has_not_is_refused_with_those_it_has(gateway: Running) -> None:
    models = (await gateway.control("GET", "/v1/models")).json()["models"]
    known = next(model["efforts"] for model in models if model["id"] == ADAPTIVE)
    for effort in {"low", "medium", "high", "xhigh", "max"} - set(known):
        error: Any = await gateway.refused("Think.", model=ADAPTIVE, reasoning_effort=effort)
        assert (error.status_code, error.param) == (400, "reasoning_effort")
        assert all(each in error.body["message"] for each in known)


async def test_thoughts_are_apart_from_the_answer(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((THOUGHT, Text(("The ", "answer."))), usage=USED)
    answer = await gateway.ask("Think.", reasoning_effort="low")
    assert answer.text == "The answer."
    assert answer.message.reasoning_content == f"Let me {secret('think.')}"
    usage: Any = answer.completion.usage
    assert usage.completion_tokens_details.reasoning_tokens == 40

    chunks = await gateway.stream("Think.", reasoning_effort="low")
    deltas: list[Any] = [chunk.choices[0].delta for chunk in chunks]
    thoughts = [delta.reasoning_content for delta in deltas if getattr(delta, "reasoning_content", None)]
    assert thoughts == ["Let me ", secret("think.")]
    assert "".join(delta.content or "" for delta in deltas) == "The answer."


async def called(gateway: Running, text: str) -> Messages:
    """A conversation in which a thought led to a call; its results are there."""
    gateway.endpoint.script = lambda _: ScriptedReply(
        (THOUGHT, ToolUse("toolu_1", "alpha", {})), stop_reason="tool_use"
    )
    messages = as_messages(text)
    answer = await gateway.ask(messages, tools=TOOLS, reasoning_effort="low")
    assert answer.reason == "tool_calls"
    gateway.endpoint.script = lambda _: say("done")
    call = {"role": "assistant", "content": None, "tool_calls": [answer.message.tool_calls[0].model_dump()]}
    return [*messages, call, {"role": "tool", "tool_call_id": "toolu_1", "content": "r"}]


@pytest.mark.parametrize("lost", [False, True], ids=["in its process", "in another"])
async def test_the_signed_thought_before_a_call_goes_back_upstream(gateway: Running, lost: bool) -> None:
    messages = await called(gateway, f"Call, then {lost}.")
    if lost:
        await gateway.until_workers(busy=0, settling=0)
        for idle in await gateway.workers("idle"):
            await gateway.kill(idle["pid"])
    answer = await gateway.ask(messages, tools=TOOLS, reasoning_effort="low")
    assert answer.text == "done"
    assert (answer.how == "warm") is not lost
    said = blocks(gateway.upstream()[1].messages[1])
    assert [block["type"] for block in said] == ["thinking", "tool_use"]
    assert said[0]["signature"] == "c2lnbmVk"


async def test_without_the_thought_upstream_is_not_asked_to_think(gateway: Running) -> None:
    """A history of another process: the Messages API would refuse a round of tools that did not begin with thinking."""
    call = {"id": "toolu_9", "type": "function", "function": {"name": "alpha", "arguments": "{}"}}
    messages: Messages = [
        *as_messages("From elsewhere."),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "toolu_9", "content": "r"},
    ]
    await gateway.ask(messages, tools=TOOLS, reasoning_effort="low")
    [request] = gateway.upstream()
    assert request.body.get("thinking", {"type": "disabled"}) == {"type": "disabled"}
