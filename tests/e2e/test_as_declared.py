"""What reaches the model is what the client sent: tools and messages of every kind, by the real CLI."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from claudegwd.demo.replies import blocks
from claudegwd.demo.script import RecordedRequest
from tests.e2e.harness import Daemon, Messages, Running, with_upstream

pytestmark = pytest.mark.cli

# What is kept in a process and resumed there. tests/e2e/test_carriers.py has what is common to both ways.
TRANSCRIPT = {"CLAUDEGWD_WORKERS__CARRIER": "transcript"}
SHARED = {"env": TRANSCRIPT}

# Each example is a process of its own, so there are few, and none is made smaller.
EXAMPLES = settings(
    max_examples=12, phases=(Phase.explicit, Phase.reuse, Phase.generate), suppress_health_check=list(HealthCheck)
)

META = Draft202012Validator(Draft202012Validator.META_SCHEMA)

# What the CLI does not alter in a tool: it writes all of it in NFKC, and takes invisible characters out.
PLAIN = st.characters(min_codepoint=32, max_codepoint=126)
WORDS = st.text(st.one_of(PLAIN, st.sampled_from("\n\n\n\t\ré漢😀")), max_size=60)
KEYS = st.one_of(
    st.sampled_from(["q", "path", "filter[id]", "$filter", "@odata.type", "Account Number", "größe", "a" * 65, "1"]),
    st.text(PLAIN, min_size=1, max_size=8),
)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text("ab", max_size=2))
# Faults and older forms beside what is right: each is either rewritten, or refused by its path.
LEAVES = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "integer", "array", "object", ["string", "null"]])},
    optional={
        "description": st.one_of(WORDS, st.none()),
        "title": st.one_of(WORDS, st.none(), st.just(5)),
        "minimum": st.one_of(st.integers(0, 5), st.none()),
        "exclusiveMinimum": st.one_of(st.booleans(), st.integers(0, 5)),
        "minLength": st.sampled_from([0, 1, 2.0, None, -1]),
        "pattern": st.sampled_from(["^a", "(?<n>b)", None]),
        "format": st.sampled_from(["date", None]),
        "multipleOf": st.sampled_from([1, 0.5, 0]),
        "items": st.sampled_from([{}, [{"type": "string"}, {"type": "integer"}], [], True, None]),
        "required": st.sampled_from([["a"], ["a", "a"], [], None]),
        "enum": st.lists(VALUES, max_size=3),
        "default": VALUES,
        "x-unknown": VALUES,
    },
)
ROOTS = st.fixed_dictionaries(
    {"properties": st.dictionaries(KEYS, LEAVES, max_size=4)},
    optional={
        "type": st.just("object"),
        "required": st.lists(st.sampled_from(["q", "path", "filter[id]"]), max_size=3),
        "additionalProperties": st.booleans(),
        "anyOf": st.lists(st.sampled_from([{"required": ["q"]}, {"required": ["path"]}]), min_size=1, max_size=2),
        "oneOf": st.just([{"required": ["$filter"]}, {"$ref": "#/$defs/arguments"}]),
        "allOf": st.just([{"$ref": "#/anyOf/0"}, {"minProperties": 1}]),
        "$defs": st.just({"arguments": {"required": ["q"], "$ref": "#/$defs/other"}, "other": {}}),
        "$schema": st.sampled_from([
            "http://json-schema.org/draft-07/schema#",
            "https://json-schema.org/draft/2020-12/schema",
        ]),
        "title": st.one_of(WORDS, st.none()),
    },
)  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(["ToolSearch", "Bash", "Task", "StructuredOutput", "mcp__ide__x", "mcp__gw__x", "read.file"]),
    st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
)
TOOLS = st.dictionaries(NAMES, st.tuples(WORDS, ROOTS), min_size=1, max_size=8)


def there(request: RecordedRequest) -> dict[str, dict[str, Any]]:
    return {tool["name"]: tool for tool in request.body["tools"]}


def function(name: str, description: str, parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


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


@EXAMPLES
@given(TOOLS)
async def test_every_tool_is_there_as_it_was_declared_or_refused_by_its_path(
    daemon: Daemon, tools: dict[str, tuple[str, Any]]
) -> None:
    declared = [function(name, *rest) for name, rest in tools.items()]
    body = {"model": "sonnet", "messages": [{"role": "user", "content": "x"}], "tools": declared}
    async with with_upstream(daemon) as gateway:
        answer = await gateway.post(body)
        requests = gateway.upstream()
    if answer.status_code == 400:
        assert answer.json()["error"]["param"].startswith("tools["), answer.text
        return
    assert answer.status_code == 200, answer.text
    assert "x-claudegw-ignored" not in answer.headers
    [request] = requests
    found = there(request)
    assert len(found) == len(tools)
    plain = {name: one for name, one in tools.items() if name in found}
    assert len(tools) - len(plain) == sum(name in ("ToolSearch", "mcp__ide__x", "read.file") for name in tools)
    for name, (description, schema) in plain.items():
        assert lines(found[name]["description"]) == lines(description)
        sent = found[name]["input_schema"]
        assert META.is_valid(sent), sent
        if is_modern_and_plain(schema):
            assert {"type": "object", **schema} == sent


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
    gateway: Running, parameters: dict[str, Any], taken: list[Any], refused: list[Any]
) -> None:
    await gateway.ask("x", tools=[function("read", "One.\n\nTwo.", parameters)])
    declared = there(gateway.upstream()[0])["read"]
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
async def test_what_the_cli_alters_is_named(gateway: Running, description: str, parameters: Any, named: str) -> None:
    answer = await gateway.ask("x", tools=[function("read", description, parameters)])
    assert answer.headers["x-claudegw-ignored"] == named
    declared = there(gateway.upstream()[0])["read"]
    expected = {"type": "object", "properties": {}, **(parameters or {})}
    assert (declared["description"], declared["input_schema"]) != (description, expected)


TEXTS = st.one_of(
    st.sampled_from(["(no content)", "/clear", "@/etc/hostname", "[Request interrupted by user]"]),
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40).filter(lambda text: text.strip() != ""),
)  # fmt: skip
ROUNDS = st.lists(st.tuples(TEXTS, TEXTS, st.none() | TEXTS, st.none() | TEXTS), min_size=1, max_size=4)


def conversation(rounds: list[tuple[str, str, str | None, str | None]]) -> Messages:
    """Questions and answers; some answers call a tool, and some results have words of the user's beside them."""
    messages: Messages = []
    for number, (question, answer, result, beside) in enumerate(rounds):
        messages.append({"role": "user", "content": question})
        called: dict[str, Any] = {"role": "assistant", "content": answer}
        if result is not None:
            arguments = json.dumps({"q": question})
            call = {"id": f"c{number}", "type": "function", "function": {"name": "read", "arguments": arguments}}
            messages.append({**called, "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": result})
            messages += [{"role": "user", "content": beside}] if beside is not None else []
            called = {"role": "assistant", "content": "Read."}
        messages.append(called)
    return [*messages, {"role": "user", "content": "last"}]


def told(messages: Messages) -> list[tuple[str, Any]]:
    """What is said, in order: by whom, and the text, the call or the result."""
    said: list[tuple[str, Any]] = []
    for message in messages:
        if message["role"] == "tool":
            said.append(("user", ("result", message["tool_call_id"], message["content"])))
            continue
        said.append((message["role"], message["content"]))
        calls = message.get("tool_calls", ())
        said += [("assistant", ("call", call["id"], json.loads(call["function"]["arguments"]))) for call in calls]
    return said


def arrived(request: RecordedRequest) -> list[tuple[str, Any]]:
    """The same of what upstream was sent, neighbouring texts of an answer as one."""
    said: list[tuple[str, Any]] = []
    for message in request.messages:
        before = ""
        for block in blocks(message):
            if block["type"] == "text" and before == "text" and message["role"] == "assistant":
                said[-1] = (message["role"], said[-1][1] + block["text"])
            elif block["type"] == "text":
                said.append((message["role"], block["text"]))
            elif block["type"] == "tool_use":
                said.append((message["role"], ("call", block["id"], block["input"])))
            else:
                text = "".join(inner["text"] for inner in blocks(block))
                said.append((message["role"], ("result", block["tool_use_id"], text)))
            before = block["type"]
    return said


@EXAMPLES
@given(ROUNDS)
async def test_every_message_is_there_as_it_was_sent(
    daemon: Daemon, rounds: list[tuple[str, str, str | None, str | None]]
) -> None:
    messages = conversation(rounds)
    async with with_upstream(daemon) as gateway:
        await gateway.ask(messages, tools=[function("read", "Reads.", None)])
        [request] = gateway.upstream()
    assert arrived(request) == told(messages)
