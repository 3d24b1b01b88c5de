"""response_format: valid JSON or an error, by the model's own structured output or by words."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from claudegwd.demo.replies import block_text, blocks, say, sequence
from claudegwd.demo.script import ScriptedReply, ScriptedUsage, Text, ToolUse
from tests.e2e.harness import MODEL, Running, as_messages

pytestmark = pytest.mark.cli

STRUCTURED = "sonnet"  # has structured output; MODEL, an older one, has not
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}}
ANN = '{"name": "Ann", "age": 7}'


class Person(BaseModel):
    name: str
    age: int


async def test_a_schema_is_the_upstreams_own_where_it_has_that(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say(*ANN.split(" "))
    answer = await gateway.ask("Who?", model=STRUCTURED, response_format=FORMAT)
    assert json.loads(str(answer.text)) == {"name": "Ann", "age": 7}
    [request] = gateway.upstream()
    sent = request.body["output_config"]["format"]
    assert sent["type"] == "json_schema"
    assert sent["schema"]["required"] == ["name", "age"]


async def test_elsewhere_it_is_asked_for_in_words_and_only_the_object_goes_out(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("Here you are:\n```json\n", ANN, "\n```\nAnything else?")
    answer = await gateway.ask("Who?", response_format=FORMAT)
    assert answer.text == ANN
    [request] = gateway.upstream()
    assert "output_config" not in request.body
    assert '"age"' in json.dumps(request.body["system"]).replace("\\", "")


async def test_any_object(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say('```json\n{"a": [1, "}"]}\n```')
    for model in (STRUCTURED, MODEL):
        answer = await gateway.ask("Any object.", model=model, response_format={"type": "json_object"})
        assert answer.text == '{"a": [1, "}"]}'


async def test_the_clients_own_parser(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say(ANN)
    wanted: Any = {"model": STRUCTURED, "messages": as_messages("Parse.")}
    parsed = await gateway.client.chat.completions.parse(**wanted, response_format=Person)
    assert parsed.choices[0].message.parsed == Person(name="Ann", age=7)


WRONG = {"no json": "I would rather not.", "a wrong type": '{"name": "Ann", "age": "seven"}', "half": '{"name": "Ann'}


@pytest.mark.parametrize("name", WRONG)
async def test_what_does_not_fit_is_an_error_and_never_an_answer(gateway: Running, name: str) -> None:
    gateway.endpoint.script = lambda _: say(WRONG[name])
    error = await gateway.refused("Wrong.", model=STRUCTURED, response_format=FORMAT)
    assert (error.status_code, error.code) == (503, "invalid_model_output")
    assert len(gateway.upstream()) == 2  # it was told what was wrong, and did no better


@pytest.mark.parametrize("model", [STRUCTURED, MODEL])
@pytest.mark.parametrize("name", WRONG)
async def test_what_does_not_fit_is_asked_for_once_more_in_the_same_process(
    gateway: Running, name: str, model: str
) -> None:
    gateway.endpoint.script = sequence(
        say(WRONG[name], usage=ScriptedUsage(input_tokens=11, output_tokens=3)),
        say(ANN, usage=ScriptedUsage(input_tokens=20, output_tokens=5)),
    )
    answer = await gateway.ask(f"Who is {name}, {model}?", model=model, response_format=FORMAT)
    assert answer.text == ANN
    assert answer.how == "warm"
    usage = answer.completion.usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (31, 8)
    first, second = gateway.upstream()
    asked, given, again = second.messages
    assert asked["role"] == first.messages[0]["role"] == "user"
    assert texts(given) in (WRONG[name], "(words without JSON)")  # of the latter nothing is kept
    assert "cannot be used" in texts(again)
    assert '"age"' in texts(again)
    # The client knows nothing of it: its next turn reaches the model as it was sent.
    messages = [*as_messages(f"Who is {name}, {model}?"), {"role": "assistant", "content": ANN}, *as_messages("Older?")]
    await gateway.ask(messages, model=model, response_format=FORMAT)
    assert [texts(message) for message in gateway.upstream()[-1].messages] == [
        f"Who is {name}, {model}?", ANN, "Older?",
    ]  # fmt: skip


def texts(message: dict[str, Any]) -> str:
    return "".join(map(block_text, blocks(message)))


async def test_every_choice_is_asked_on_its_own(gateway: Running) -> None:
    gateway.endpoint.script = lambda request: say(WRONG["no json"] if len(request.messages) == 1 else ANN)
    answer = await gateway.ask("Two of them.", model=STRUCTURED, response_format=FORMAT, n=2)
    assert [choice.message.content for choice in answer.completion.choices] == [ANN, ANN]
    chunks = await gateway.stream("Two of them, streamed.", model=STRUCTURED, response_format=FORMAT, n=2)
    for index in (0, 1):
        said = [c.choices[0].delta.content or "" for c in chunks if c.choices and c.choices[0].index == index]
        assert "".join(said) == ANN


async def test_responses_hold_only_the_answer_that_is_used(gateway: Running) -> None:
    gateway.endpoint.script = sequence(say(*WRONG["a wrong type"].split(" ")), say(ANN))
    made = await gateway.client.responses.parse(model=STRUCTURED, input="Who?", text_format=Person)
    assert made.output_text == ANN


async def test_a_stream_is_repeated_while_nothing_went_out(gateway: Running) -> None:
    gateway.endpoint.script = sequence(say("I ", "would ", "rather not."), say(*ANN.split(" ")))
    chunks = await gateway.stream("Not?", model=STRUCTURED, response_format=FORMAT)
    said = [c.choices[0].delta.content for c in chunks if c.choices[0].delta.content]
    assert said == ANN.split(" ")
    assert [c.choices[0].finish_reason for c in chunks][-1] == "stop"
    assert len(gateway.upstream()) == 2


async def test_an_upstream_that_knows_no_structured_output_may_use_fences(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("Here is {name}:\n```json\n", ANN, "\n```")
    answer = await gateway.ask("Fenced.", model=STRUCTURED, response_format=FORMAT)
    assert answer.text == ANN
    assert len(gateway.upstream()) == 1


async def test_while_streaming_the_error_comes_in_place_of_the_finish(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say(*WRONG["a wrong type"].split(" "), gap=0.1)
    with pytest.raises(openai.APIError):
        await gateway.stream("Wrong.", model=STRUCTURED, response_format=FORMAT)
    assert len(gateway.upstream()) == 1  # its text has gone out, and cannot be taken back


async def test_streamed_in_pieces(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say(*ANN.split(" "))
    chunks = await gateway.stream("Pieces.", model=STRUCTURED, response_format=FORMAT)
    said = [c.choices[0].delta.content for c in chunks if c.choices[0].delta.content]
    assert said == ANN.split(" ")


async def test_cut_by_the_limit_is_length_as_with_openai(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Text((WRONG["half"],)),), stop_reason="max_tokens")
    answer = await gateway.ask("Half.", model=STRUCTURED, response_format=FORMAT)
    assert (answer.reason, answer.text) == ("length", WRONG["half"])


async def test_together_with_tools(gateway: Running) -> None:
    tools = [{"type": "function", "function": {"name": "alpha", "parameters": {"type": "object"}}}]
    gateway.endpoint.script = lambda _: ScriptedReply((ToolUse("toolu_1", "alpha", {}),), stop_reason="tool_use")
    answer = await gateway.ask("Call first.", model=STRUCTURED, response_format=FORMAT, tools=tools)
    assert answer.reason == "tool_calls"
    messages = [*as_messages("Call first."), answer.message.model_dump(exclude_none=True)]
    messages.append({"role": "tool", "tool_call_id": "toolu_1", "content": "r"})
    gateway.endpoint.script = lambda _: say(ANN)
    answer = await gateway.ask(messages, model=STRUCTURED, response_format=FORMAT, tools=tools)
    assert (answer.how, answer.text) == ("warm", ANN)


async def test_a_root_that_is_no_object_is_named(gateway: Running) -> None:
    schema = {"name": "x", "schema": {"type": "array", "items": {"type": "string"}}}
    error: Any = await gateway.refused("List.", response_format={"type": "json_schema", "json_schema": schema})
    assert error.status_code == 400
    assert error.param.startswith("response_format.json_schema.schema")


async def test_json_object_with_a_schema_is_held_to_it(gateway: Running) -> None:
    gateway.endpoint.script = sequence(say('{"name": "Ann"}'), say(ANN))
    answer = await gateway.ask("Who?", response_format={"type": "json_object", "schema": SCHEMA})
    assert answer.text == ANN
    error: Any = await gateway.refused("Who?", response_format={"type": "json_object", "schema": {"type": "array"}})
    assert (error.status_code, error.param) == (400, "response_format.schema")
