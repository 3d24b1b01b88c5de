"""A model small enough to read: a script for the endpoint that does what an obedient model would.

It answers tool results, calls a tool where it is given one, fills in a schema where one is set, thinks where it may,
and else repeats what it was told. Judges with tests of their own ask all sorts of things; this one answers them all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from claudegwd.demo.replies import block_text, blocks, obey
from claudegwd.demo.script import Answer, RecordedRequest, ScriptedReply, Text, Thinking, ToolUse, too_long

_QUOTED_KEY = re.compile(r"'(\w+)'")
_THOUGHT_TOKENS = 4
_NUMBER = re.compile(r"-?\d+")


def small_model(request: RecordedRequest) -> Answer:
    """Answer like a model: results first, then tools, then a schema, then an echo."""
    results = _results(request)
    if "too long" in question(request):
        return too_long()
    choice = (request.body.get("tool_choice") or {}).get("type", "auto")
    if results:
        return _said(request, f"The result is {' and '.join(results)}.")
    tools = request.body.get("tools") or []
    if tools and choice != "none":
        return _call(request, tools)
    return _said(request, question(request))


def question(request: RecordedRequest) -> str:
    """The text of the last message."""
    return "".join(block_text(block) for block in blocks(request.messages[-1]))


def instance(schema: Mapping[str, Any], text: str, definitions: Mapping[str, Any] | None = None) -> Any:
    """A value that satisfies the schema, made of the words and numbers of the text."""
    known = definitions or schema.get("$defs") or {}
    if "$ref" in schema:
        return instance(known[schema["$ref"].rpartition("/")[2]], text, known)
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in schema:
            return instance(schema[keyword][0], text, known)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = schema.get("type", "object")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            return {name: instance(one, text, known) for name, one in schema.get("properties", {}).items()}
        case "array":
            return [instance(schema.get("items", {}), text, known)]
        case "integer" | "number":
            return int((_NUMBER.findall(text) or ["7"])[-1])
        case "boolean":
            return True
        case "null":
            return None
    return text


def _call(request: RecordedRequest, tools: list[Mapping[str, Any]]) -> ScriptedReply:
    """A call, or two, of the tool that is demanded, else of the one that is spoken of, else of the first."""
    text = question(request)
    demanded = request.body.get("tool_choice", {}).get("name")
    spoken_of = [tool for tool in tools if tool["name"].rpartition("__")[2] in text]
    [tool] = [tool for tool in tools if tool["name"] == demanded] or spoken_of[:1] or tools[:1]
    arguments = instance(tool["input_schema"], text)
    # The ids of two calls differ, also those of one conversation.
    start = f"toolu_{len(request.messages):04d}{id(request):x}"
    calls = (ToolUse(f"{start}{i}", tool["name"], arguments, pieces=3) for i in range(2 if "twice" in text else 1))
    return ScriptedReply(tuple(calls), stop_reason="tool_use")


def _said(request: RecordedRequest, text: str) -> ScriptedReply:
    """The text itself, or as much of it as fits into the form that is asked for."""
    schema = _schema(request)
    if schema is not None:
        return _json(instance(schema, text))
    if "JSON" in text:
        return _json(dict.fromkeys(_QUOTED_KEY.findall(text), "something funny"))
    reply = obey(request, text or "(you said nothing)")
    cached = 90 if "cache" in text else 0
    if (request.body.get("thinking") or {}).get("type", "disabled") == "disabled":
        return replace(reply, usage=replace(reply.usage, cache_read=cached))
    usage = replace(
        reply.usage, output_tokens=reply.usage.output_tokens + _THOUGHT_TOKENS, thinking_tokens=_THOUGHT_TOKENS
    )
    return replace(reply, steps=(Thinking(("Let me ", "think.")), *reply.steps), usage=usage)


def _json(value: Any) -> ScriptedReply:
    text = json.dumps(value, ensure_ascii=False)
    return ScriptedReply((Text(tuple(text[i : i + 7] for i in range(0, len(text), 7))),))


def _schema(request: RecordedRequest) -> Mapping[str, Any] | None:
    """The schema of the answer: as structured output, or in the words of the system prompt."""
    output = (request.body.get("output_config") or {}).get("format")
    if output is not None:
        found: Mapping[str, Any] = output["schema"]
        return found
    system = request.body.get("system") or ""
    words = system if isinstance(system, str) else str(system[-1]["text"])
    _, asked, schema = words.rpartition("JSON Schema:")
    return json.loads(schema) if asked else None


def _results(request: RecordedRequest) -> list[str]:
    """The texts of the tool results in the last message."""
    found = [block for block in blocks(request.messages[-1]) if block.get("type") == "tool_result"]
    return ["".join(b.get("text", b["type"]) for b in blocks(block)) for block in found]
