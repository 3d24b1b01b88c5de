"""Tools and conversations of every kind, as clients declare and send them, and how upstream should see them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from claudegwd.demo.replies import blocks
from claudegwd.demo.script import RecordedRequest
from tests.e2e.harness import Messages

# What the CLI does not alter in a tool: it writes all of it in NFKC, and takes invisible characters out.
PLAIN = st.characters(min_codepoint=32, max_codepoint=126)
WORDS = st.text(st.one_of(PLAIN, st.sampled_from("\n\n\n\t\ré漢😀")), max_size=60)
KEYS = st.one_of(
    st.sampled_from(["q", "path", "filter[id]", "$filter", "@odata.type", "Account Number", "größe", "a" * 65, "1"]),
    st.text(PLAIN, min_size=1, max_size=8),
)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text("ab", max_size=2))
# Older forms, and null for what is left open, beside what is right: all of it is taken, as it is or rewritten.
LEAVES = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "integer", "array", "object", ["string", "null"]])},
    optional={
        "description": st.one_of(WORDS, st.none()),
        "title": st.one_of(WORDS, st.none()),
        "minimum": st.one_of(st.integers(0, 5), st.none()),
        "exclusiveMinimum": st.one_of(st.booleans(), st.integers(0, 5)),
        "minLength": st.sampled_from([0, 1, 2.0, None]),
        "pattern": st.sampled_from(["^a", "(?<n>b)", None]),
        "format": st.sampled_from(["date", None]),
        "multipleOf": st.sampled_from([1, 0.5]),
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
# What no draft allows, each beside the keyword by which it is refused.
FAULTS: list[tuple[str, Any]] = [
    ("title", 5),
    ("description", ["a"]),
    ("type", "text"),
    ("minimum", "1"),
    ("minLength", -1),
    ("minLength", 1.5),
    ("multipleOf", 0),
    ("pattern", 1),
    ("items", 3),
    ("required", "a"),
    ("enum", "a"),
    ("uniqueItems", "yes"),
]
# The first are names that the CLI keeps for itself.
NAMES = st.one_of(
    st.sampled_from(["ToolSearch", "mcp__ide__x", "Bash", "Task", "StructuredOutput", "mcp__gw__x"]),
    st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
)
TOOLS = st.dictionaries(NAMES, st.tuples(WORDS, ROOTS), min_size=1, max_size=8)


def there(request: RecordedRequest) -> dict[str, dict[str, Any]]:
    """The tools that upstream was told of, without cache markers."""
    unmarked = [{key: tool[key] for key in tool if key != "cache_control"} for tool in request.body["tools"]]
    return {tool["name"]: tool for tool in unmarked}


def function(name: str, description: str, parameters: Any) -> dict[str, Any]:
    """A tool as /v1/chat/completions has it."""
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


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


def in_anthropics_words(messages: Messages) -> Messages:
    """The same conversation as /v1/messages has it."""
    said: Messages = []
    for message in messages:
        content: list[dict[str, Any]] = [{"type": "text", "text": message["content"]}]
        if message["role"] == "tool":
            content = [{"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": content}]
        for call in message.get("tool_calls", ()):
            name, arguments = call["function"]["name"], json.loads(call["function"]["arguments"])
            content.append({"type": "tool_use", "id": call["id"], "name": name, "input": arguments})
        role = "user" if message["role"] == "tool" else message["role"]
        if said and said[-1]["role"] == role:
            said[-1]["content"] += content
        else:
            said.append({"role": role, "content": content})
    return said
