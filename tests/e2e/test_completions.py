"""Text completions, for the clients that use them still."""

from __future__ import annotations

import openai
import pytest

from claudegwd.demo.replies import say
from claudegwd.demo.script import RecordedRequest, ScriptedReply, ScriptedUsage, Text, Thinking, ToolUse, too_long
from tests.e2e.harness import MODEL, Running, secret

pytestmark = pytest.mark.cli


def asked(request: RecordedRequest) -> str:
    """The text of the one question."""
    return "".join(block["text"] for block in request.messages[-1]["content"])


async def test_a_prompt_is_answered(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("once upon", usage=ScriptedUsage(7, 3))
    completion = await gateway.client.completions.create(model=MODEL, prompt=secret("Tell."), max_tokens=16)
    assert completion.object == "text_completion"
    assert completion.id.startswith("cmpl-")
    [choice] = completion.choices
    assert (choice.index, choice.text, choice.finish_reason, choice.logprobs) == (0, "once upon", "stop", None)
    assert completion.usage is not None
    assert completion.usage.total_tokens == 10
    assert gateway.upstream()[-1].body["max_tokens"] == 16


async def test_prompts_and_choices_are_in_order(gateway: Running) -> None:
    gateway.endpoint.script = lambda request: say(f" and {asked(request)}")
    completion = await gateway.client.completions.create(model=MODEL, prompt=["one", "two"], n=2, echo=True)
    assert [(choice.index, choice.text) for choice in completion.choices] == [
        (0, "one and one"),
        (1, "one and one"),
        (2, "two and two"),
        (3, "two and two"),
    ]
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 40


async def test_the_pieces_of_a_stream_are_the_texts(gateway: Running) -> None:
    gateway.endpoint.script = lambda request: ScriptedReply((Thinking(("hm",)), Text((" and ", asked(request)))))
    stream = await gateway.client.completions.create(
        model=MODEL, prompt=["one", "two"], echo=True, stream=True, stream_options={"include_usage": True}
    )
    texts, reasons, usages = {0: "", 1: ""}, [], []
    async for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.text
            reasons.append(choice.finish_reason)
        usages.append(chunk.usage)
    assert texts == {0: "one and one", 1: "two and two"}
    assert [reason for reason in reasons if reason] == ["stop", "stop"]
    assert [usage.total_tokens for usage in usages if usage] == [30]


async def test_a_call_that_nobody_offered_is_the_end_of_the_text(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("a",)), ToolUse("t", "look", {})), stop_reason="tool_use")
    completion = await gateway.client.completions.create(model=MODEL, prompt="x")
    [choice] = completion.choices
    assert (choice.text, choice.finish_reason) == ("a", "stop")
    stream = await gateway.client.completions.create(model=MODEL, prompt="x", stream=True)
    assert [one.finish_reason async for chunk in stream for one in chunk.choices][-1] == "stop"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_that_is_too_long_is_called_by_its_name(gateway: Running, stream: bool) -> None:
    gateway.endpoint.script = lambda _: too_long()
    with pytest.raises(openai.BadRequestError) as refused:
        await gateway.client.completions.create(model=MODEL, prompt="x", stream=stream)
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "prompt")


async def test_what_cannot_be_honoured_is_refused(gateway: Running) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await gateway.client.completions.create(model=MODEL, prompt="a", logprobs=1)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "logprobs")
    with pytest.raises(openai.NotFoundError) as unknown:
        await gateway.client.completions.create(model="gpt-3.5-turbo-instruct", prompt="a")
    assert unknown.value.code == "model_not_found"
