"""response_format: valid JSON or an error, by the model's own structured output or by words."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from claudegwd.demo.replies import say
from claudegwd.demo.script import Reply, Text, ToolUse
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


async def test_while_streaming_the_error_comes_in_place_of_the_finish(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say(*WRONG["a wrong type"].split(" "))
    with pytest.raises(openai.APIError):
        await gateway.stream("Wrong.", model=STRUCTURED, response_format=FORMAT)


async def test_streamed_in_pieces(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say(*ANN.split(" "))
    chunks = await gateway.stream("Pieces.", model=STRUCTURED, response_format=FORMAT)
    said = [c.choices[0].delta.content for c in chunks if c.choices[0].delta.content]
    assert said == ANN.split(" ")


async def test_cut_by_the_limit_is_length_as_with_openai(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: Reply((Text((WRONG["half"],)),), stop_reason="max_tokens")
    answer = await gateway.ask("Half.", model=STRUCTURED, response_format=FORMAT)
    assert (answer.reason, answer.text) == ("length", WRONG["half"])


async def test_together_with_tools(gateway: Running) -> None:
    tools = [{"type": "function", "function": {"name": "alpha", "parameters": {"type": "object"}}}]
    gateway.endpoint.script = lambda _: Reply((ToolUse("toolu_1", "alpha", {}),), stop_reason="tool_use")
    answer = await gateway.ask("Call first.", model=STRUCTURED, response_format=FORMAT, tools=tools)
    assert answer.reason == "tool_calls"
    messages = [*as_messages("Call first."), answer.message.model_dump(exclude_none=True)]
    messages.append({"role": "tool", "tool_call_id": "toolu_1", "content": "r"})
    gateway.endpoint.script = lambda _: say(ANN)
    answer = await gateway.ask(messages, model=STRUCTURED, response_format=FORMAT, tools=tools)
    assert (answer.how, answer.text) == ("parked", ANN)


async def test_a_root_that_is_no_object_is_named(gateway: Running) -> None:
    schema = {"name": "x", "schema": {"type": "array", "items": {"type": "string"}}}
    error: Any = await gateway.refused("List.", response_format={"type": "json_schema", "json_schema": schema})
    assert error.status_code == 400
    assert error.param.startswith("response_format.json_schema.schema")
