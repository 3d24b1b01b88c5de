"""What `claudegwd --demo` answers: enough of a model to show every feature of the gateway in the first minute.

It never repeats the system prompt or earlier messages, so that a demo on a shared screen reveals nothing by accident.
It answers whatever arrives: an exception here would end the demo.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from claudegwd.demo import replies
from claudegwd.demo.instance import instance
from claudegwd.demo.script import (
    Answer,
    RecordedRequest,
    ScriptedReply,
    ScriptedUsage,
    Step,
    Text,
    Thinking,
    ToolUse,
    limited,
    overloaded,
    server_error,
    too_long,
)

# A pace at which the text visibly streams, without making anybody wait.
WORD_SECONDS = 0.03
# How much of a tool's result the demo repeats.
RESULT_CHARACTERS = 200
# Client tools reach the model under this prefix: they are declared to the CLI as an MCP server.
_TOOL_PREFIX = re.compile(r"^mcp__.+?__")
_FAIL_REQUEST = re.compile(r"^\s*fail with (\w+)\W*$", re.IGNORECASE)
_CALL_REQUEST = re.compile(r"\b(use|call|run|invoke)\b", re.IGNORECASE)

# The demo's upstream keys: the first is limited on request, the second never, so that rotation can be seen.
KEYS = ("sk-false-demo-key-1", "sk-false-demo-key-2")
_LIMITED = "429"

# Only what is not the key's fault: a 401 would end both.
_FAILURES: Mapping[str, Answer] = {
    "500": server_error(),
    "529": overloaded(),
    "context": too_long(),
    "refusal": replies.refusal("I had better not say more about"),
}

_HELLO = (
    "Hello from the claudegwd demo! The real Claude Code CLI has just run your request, and asked a scripted "
    "endpoint on this machine instead of Anthropic: no account, no network, no cost. "
)
_TRY = (
    'Things to try: declare a tool and write "use the tool NAME"; ask for a json_schema; attach an image; '
    'write "think" to see reasoning, or "fail with 529" (or 500, context, refusal, or 429: the next key takes over); '
    "set stop or max_tokens."
)


def demo(request: RecordedRequest) -> Answer:
    """The demo's script."""
    said = replies.last_user_text(request)
    if failing := _FAIL_REQUEST.match(said):
        if failing[1] == _LIMITED and request.key == KEYS[0]:
            return limited()
        if failing[1].lower() in _FAILURES:
            return _FAILURES[failing[1].lower()]
    results = _tool_results(request)
    calls = [] if results else _calls(request, said)
    if calls:
        usage = ScriptedUsage(replies.count_input(request), sum(replies.tokens(str(call.input)) for call in calls))
        return ScriptedReply((*_thoughts(request, said), *calls), "tool_use", usage=usage)
    reply = replies.obey(request, _answer_text(request, results), part_characters=1)
    return ScriptedReply(
        (*_thoughts(request, said), *_in_words(reply)), reply.stop_reason, reply.stop_sequence, usage=reply.usage
    )


def _answer_text(request: RecordedRequest, results: list[str]) -> str:
    schema = _schema(request)
    if schema is not None:
        return json.dumps(instance(schema), ensure_ascii=False)
    if "JSON object" in _system_text(request):  # how a response_format of json_object reaches the model
        return json.dumps({"answer": "a JSON object, as you asked", "demo": True})
    if results:
        return "".join(f"The tool answered: {result[:RESULT_CHARACTERS]} " for result in results)
    images = _images(request)
    seen = f"I see {images} image{'s' if images > 1 else ''}. " if images else ""
    turns = sum(message.get("role") == "user" for message in request.messages)
    turn = f"This is question {turns} of our conversation, and you asked for {request.model}. "
    return f"{seen}{turn}{_TRY}" if turns > 1 else f"{_HELLO}{seen}{turn}{_TRY}"


def _in_words(reply: ScriptedReply) -> tuple[Step, ...]:
    """The same reply, one word per delta at a readable pace."""
    text = "".join(part for step in reply.steps if isinstance(step, Text) for part in step.parts)
    return (Text(tuple(re.findall(r"\s*\S+\s*$|\s*\S+", text)) or (text,), WORD_SECONDS),)


def _thoughts(request: RecordedRequest, said: str) -> tuple[Step, ...]:
    thinking = request.body.get("thinking")
    allowed = isinstance(thinking, Mapping) and thinking.get("type") in ("enabled", "adaptive")
    if not allowed or "think" not in said.lower():
        return ()
    return (Thinking(("The user ", "wants to see ", "some thinking. ", "This ", "is ", "it."), gap=WORD_SECONDS),)


def _calls(request: RecordedRequest, said: str) -> list[ToolUse]:
    """Calls of the tools that the request forces or the user names."""
    tools = _objects(request.body.get("tools"))
    choice = request.body.get("tool_choice")
    kind = choice.get("type") if isinstance(choice, Mapping) else None
    if kind == "none":
        return []
    if kind == "tool" and isinstance(choice, Mapping):
        wanted = [tool for tool in tools if tool.get("name") == choice.get("name")]
    else:
        asked = _CALL_REQUEST.search(said) is not None
        wanted = [tool for tool in tools if asked and _mentions(said, str(tool.get("name", "")))]
        wanted = wanted or (tools[:1] if kind == "any" else [])
    number = len(request.messages)
    return [
        ToolUse(f"toolu_demo_{number}_{i}", str(tool.get("name", "")), _arguments(tool), pieces=4, gap=WORD_SECONDS)
        for i, tool in enumerate(wanted)
    ]


def _mentions(said: str, name: str) -> bool:
    bare = _TOOL_PREFIX.sub("", name)
    return bool(bare) and re.search(rf"(?<!\w){re.escape(bare)}(?!\w)", said) is not None


def _arguments(tool: Mapping[str, Any]) -> dict[str, Any]:
    value = instance(tool.get("input_schema"))
    return value if isinstance(value, dict) else {}


def _tool_results(request: RecordedRequest) -> list[str]:
    """The texts of the tool results in the last message; empty if it has none."""
    last = request.messages[-1] if request.messages else {}
    results = [block for block in replies.blocks(last) if block.get("type") == "tool_result"]
    return ["".join(replies.block_text(part) for part in replies.blocks(result)) for result in results]


def _images(request: RecordedRequest) -> int:
    last = request.messages[-1] if request.messages else {}
    return sum(block.get("type") == "image" for block in replies.blocks(last))


def _schema(request: RecordedRequest) -> Mapping[str, Any] | None:
    config = request.body.get("output_config")
    form = config.get("format") if isinstance(config, Mapping) else None
    schema = form.get("schema") if isinstance(form, Mapping) and form.get("type") == "json_schema" else None
    return schema if isinstance(schema, Mapping) else _schema_in_words(_system_text(request))


def _schema_in_words(system: str) -> Mapping[str, Any] | None:
    """The schema that a system prompt asks for, for models without structured output."""
    _, mark, rest = system.partition("JSON Schema:")
    try:
        schema, _ = json.JSONDecoder().raw_decode(rest.lstrip()) if mark else (None, 0)
    except (ValueError, RecursionError):
        return None
    return schema if isinstance(schema, Mapping) else None


def _system_text(request: RecordedRequest) -> str:
    return " ".join(replies.block_text(b) for b in replies.blocks({"content": request.body.get("system")}))


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
