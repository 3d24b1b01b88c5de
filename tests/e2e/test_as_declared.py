"""What reaches the model is what the client sent: tools and messages of every kind, by the real CLI.

By both carriers and through both doors. Whole, it is so to the letter; by transcript what the CLI does not take is
written so that it means the same, and what it alters is named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.e2e.daemon_process import CARRIERS, Daemon, carrying
from tests.e2e.declarations import (
    FAULTS,
    ROUNDS,
    TOOLS,
    arrived,
    conversation,
    function,
    in_anthropics_words,
    there,
    told,
)
from tests.e2e.harness import Messages, Running, as_messages, with_upstream

pytestmark = pytest.mark.cli

# By transcript each example is a process of its own, so there are few, and none is made smaller.
EXAMPLES = settings(
    max_examples=8, phases=(Phase.explicit, Phase.reuse, Phase.generate), suppress_health_check=list(HealthCheck)
)

META = Draft202012Validator(Draft202012Validator.META_SCHEMA)
DOORS = ("/v1/chat/completions", "/v1/messages")
VERSION = {"anthropic-version": "2023-06-01"}
# Names that the CLI keeps for itself, so that it is told others.
KEPT_BACK = {"ToolSearch", "mcp__ide__x"}


@pytest.fixture(scope="module", params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def daemon(carrier: str) -> Iterator[Daemon]:
    with carrying(carrier) as started:
        yield started


async def send(
    gateway: Running, door: str, messages: Messages, tools: dict[str, tuple[str, Any]]
) -> tuple[httpx.Response, list[Any]]:
    """Ask at one of the DOORS, in its words; the answer, and the tools as they were declared."""
    if door == "/v1/messages":
        declared: list[Any] = [
            {"name": name, "description": description, "input_schema": schema}
            for name, (description, schema) in tools.items()
        ]
        body = {"max_tokens": 100, "messages": in_anthropics_words(messages)}
    else:
        declared = [function(name, *rest) for name, rest in tools.items()]
        body = {"messages": messages}
    return await gateway.post({"model": "sonnet", "tools": declared, **body}, door, headers=VERSION), declared


def lines(text: str) -> list[str]:
    """A description line by line: an empty line may have got a space, and outer white space is nothing."""
    return [line if line.strip(" ") else "" for line in text.strip().split("\n")]


def is_modern_and_plain(schema: dict[str, Any]) -> bool:
    """Whether the Messages API takes it as it is: nothing may be changed then."""
    return (
        META.is_valid(schema)
        and not {"anyOf", "oneOf", "allOf"} & schema.keys()
        and all(len(key) <= 64 and key.isascii() and key.replace("-", "").replace(".", "").replace("_", "").isalnum()
                for key in schema["properties"])
    )  # fmt: skip


def by_javascript(value: Any) -> Any:
    """As the CLI writes JSON that it has read: all in its order, but for keys that are numbers, which come first."""
    if isinstance(value, list):
        return [by_javascript(one) for one in value]
    if isinstance(value, dict):
        numbers = sorted((key for key in value if key == "0" or re.fullmatch("[1-9][0-9]{0,8}", key)), key=int)
        return {key: by_javascript(value[key]) for key in dict.fromkeys([*numbers, *value])}
    return int(value) if isinstance(value, float) and value.is_integer() else value


@pytest.mark.parametrize("door", DOORS)
@EXAMPLES
@given(TOOLS)
async def test_every_tool_is_there_as_it_was_declared(
    daemon: Daemon, carrier: str, door: str, tools: dict[str, tuple[str, Any]]
) -> None:
    async with with_upstream(daemon) as gateway:
        answer, declared = await send(gateway, door, as_messages("x"), tools)
        assert answer.status_code == 200, answer.text
        [request] = gateway.upstream()
    assert "x-claudegw-ignored" not in answer.headers
    found = there(request)
    assert len(found) == len(tools)
    if carrier == "whole":
        if door == "/v1/messages":
            assert json.dumps(request.body["tools"]) == json.dumps(by_javascript(declared))
        else:
            expected = [whole(*one) for one in tools.items()]
            assert json.dumps(list(found.values())) == json.dumps(by_javascript(expected))
        return
    plain = {name: one for name, one in tools.items() if name in found}
    assert tools.keys() - plain.keys() == tools.keys() & KEPT_BACK
    for name, (description, schema) in plain.items():
        assert lines(found[name]["description"]) == lines(description)
        sent = found[name]["input_schema"]
        assert META.is_valid(sent), sent
        if is_modern_and_plain(schema):
            assert {"type": "object", **schema} == sent


def whole(name: str, declared: tuple[str, Any]) -> dict[str, Any]:
    """A tool of /v1/chat/completions as a whole body has it: the same, with what OpenAI's clients may leave out."""
    description, schema = declared
    made: dict[str, Any] = {"name": name, **({"description": description} if description else {})}
    return {**made, "input_schema": {"type": "object", "properties": {}, **schema}}


@pytest.mark.parametrize("door", DOORS)
async def test_a_faulty_tool_is_refused_by_its_path_or_goes_as_it_is(gateway: Running, carrier: str, door: str) -> None:
    for keyword, value in FAULTS:
        before = gateway.endpoint.count
        schema = {"type": "object", "properties": {"q": {keyword: value}}}
        answer, declared = await send(gateway, door, as_messages("x"), {"ok": ("", {}), "read": ("", schema)})
        if (carrier, door) == ("whole", "/v1/messages"):  # it is for the upstream to say
            assert (answer.status_code, gateway.upstream()[-1].body["tools"]) == (200, declared)
            continue
        parameters = "input_schema" if door == "/v1/messages" else "function.parameters"
        assert answer.status_code == 400, (keyword, value)
        assert f"tools[1].{parameters}.properties.q.{keyword}" in answer.text
        assert gateway.endpoint.count == before


# (parameters, arguments that they take, arguments that they do not): the meaning stays where the form has to change.
MOVED: list[tuple[dict[str, Any], list[Any], list[Any]]] = [
    (
        {"properties": {"filter[id]": {"type": "string"}, "n": {}}, "required": ["filter[id]"],
         "additionalProperties": False},
        [{"filter[id]": "a"}, {"filter[id]": "a", "n": 1}],
        [{}, {"filter[id]": 1}, {"filter[id]": "a", "other": 1}],
    ),
    (
        {"properties": {"a": {"type": "string"}, "b": {}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
         "additionalProperties": False},
        [{"a": ""}, {"b": 1}],
        [{}, {"a": "", "b": 1}, {"a": 1}, {"a": "", "c": 1}],
    ),
    (
        {"properties": {"$a": {"$ref": "#/properties/b"}, "b": {"type": "integer"}}, "$ref": "#/$defs/arguments",
         "$defs": {"arguments": {"required": ["$a"]}}, "anyOf": [{"$ref": "#/allOf/0"}],
         "allOf": [{"minProperties": 2}]},
        [{"$a": 1, "b": 2}],
        [{"$a": 1}, {"$a": "", "b": 2}, {"b": 2, "c": 3}],
    ),
    (
        {"properties": {"t": {"items": [{"type": "string"}], "additionalItems": False},
                        "n": {"minimum": 1, "exclusiveMinimum": True, "title": None}}},
        [{"t": ["a"]}, {"n": 2}],
        [{"t": ["a", "b"]}, {"t": [1]}, {"n": 1}],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("parameters", "taken", "refused"), MOVED, ids=range(len(MOVED)))
async def test_a_schema_that_has_to_change_keeps_its_meaning(
    gateway: Running, carrier: str, parameters: dict[str, Any], taken: list[Any], refused: list[Any]
) -> None:
    await gateway.ask("x", tools=[function("read", "One.\n\nTwo.", parameters)])
    declared = there(gateway.upstream()[0])["read"]
    if carrier == "whole":
        assert declared == whole("read", ("One.\n\nTwo.", parameters))
        return
    assert declared["description"] == "One.\n \nTwo."
    validator = Draft202012Validator(declared["input_schema"])
    assert [validator.is_valid(one) for one in taken] == [True] * len(taken)
    assert [validator.is_valid(one) for one in refused] == [False] * len(refused)


@pytest.mark.parametrize(
    ("description", "parameters", "named"),
    [
        ("Waits… and goes on", None, "tools.description"),
        ("ok", {"properties": {"ｎ": {}}}, "tools.parameters"),
        ("ok", {"properties": {"n": {"enum": ["a\u200db"]}}}, "tools.parameters"),
        ("ok", {"properties": {"__proto__": {}}}, "tools.parameters"),
    ],
)
async def test_what_the_cli_alters_is_named(
    gateway: Running, carrier: str, description: str, parameters: Any, named: str
) -> None:
    answer = await gateway.ask("x", tools=[function("read", description, parameters)])
    declared = there(gateway.upstream()[0])["read"]
    expected = whole("read", (description, parameters or {}))
    assert (declared == expected) is (carrier == "whole")
    assert answer.headers.get("x-claudegw-ignored") == (None if carrier == "whole" else named)


@pytest.mark.parametrize("door", DOORS)
@EXAMPLES
@given(ROUNDS)
async def test_every_message_is_there_as_it_was_sent(
    daemon: Daemon, door: str, rounds: list[tuple[str, str, str | None, str | None]]
) -> None:
    messages = conversation(rounds)
    async with with_upstream(daemon) as gateway:
        answer, _ = await send(gateway, door, messages, {"read": ("Reads.", {})})
        assert answer.status_code == 200, answer.text
        [request] = gateway.upstream()
    assert arrived(request) == told(messages)
