"""Which tools the model may call: choices, names, legacy functions."""

from __future__ import annotations

from typing import Any

import pytest

from claudegwd.demo.script import ScriptedReply, Text, ToolUse
from tests.e2e.harness import Running
from tests.e2e.test_tools import TOOLS, calls, results_in, tool

pytestmark = pytest.mark.cli

CHOICES: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "none": ({"tool_choice": "none"}, {"type": "none"}),
    "auto": ({"tool_choice": "auto"}, None),
    "required": ({"tool_choice": "required"}, {"type": "any"}),
    "named": (
        {"tool_choice": {"type": "function", "function": {"name": "beta"}}},
        {"type": "tool", "name": "beta"},
    ),
    "one at a time": ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
    "one and required": (
        {"parallel_tool_calls": False, "tool_choice": "required"},
        {"type": "any", "disable_parallel_tool_use": True},
    ),
}


@pytest.mark.parametrize("name", CHOICES)
async def test_the_choice_reaches_upstream(gateway: Running, name: str) -> None:
    wanted, expected = CHOICES[name]
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("ok",)),))
    await gateway.ask("Choose.", tools=TOOLS, **wanted)
    sent = gateway.upstream()[0].body.get("tool_choice")
    assert sent == expected or (expected is None and sent in (None, {"type": "auto"}))


async def test_allowed_tools_are_all_that_the_model_hears_of(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("ok",)),))
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "beta"}}]}
    await gateway.ask("Choose.", tools=TOOLS, tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert [each["name"] for each in gateway.upstream()[0].body["tools"]] == ["beta"]


ODD_NAMES = ["read.file", "a__b", "x-y_z", "n" * 128, "mcp__other__thing", "Bash", "kebab-case"]


async def test_odd_names_go_there_and_back(gateway: Running) -> None:
    tools = [tool(name) for name in ODD_NAMES]

    def script(request: Any) -> ScriptedReply:
        if results_in(request):
            return ScriptedReply((Text(("done",)),))
        names = [each["name"] for each in request.body["tools"]]
        assert all(len(name) <= 128 for name in names)
        return ScriptedReply(
            tuple(ToolUse(f"toolu_{n}", name, {}) for n, name in enumerate(names)), stop_reason="tool_use"
        )

    gateway.endpoint.script = script
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Call all."}]
    answer = await gateway.ask(messages, tools=tools)
    assert sorted(call.function.name for call in answer.message.tool_calls) == sorted(ODD_NAMES)
    messages.append(answer.message.model_dump(exclude_none=True))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "ok"} for call in answer.message.tool_calls]
    resumed = await gateway.ask(messages, tools=tools)
    assert (resumed.how, resumed.text) == ("warm", "done")


async def test_long_descriptions_and_many_tools_stay_whole(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("ok",)),))
    await gateway.ask("Many.", tools=[tool(f"tool_{n}", description="d" * 10_000) for n in range(100)])
    sent = gateway.upstream()[0].body["tools"]
    assert len(sent) == 100
    assert all(each["description"] == "d" * 10_000 for each in sent)


async def test_strict_schemas_and_unknown_keywords_are_kept(gateway: Running) -> None:
    schema = {
        "type": "object",
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"q": {"type": ["string", "null"], "enum": ["a", None], "description": "ü"}},
        "required": ["q"],
        "additionalProperties": False,
    }
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("ok",)),))
    await gateway.ask("Strict.", tools=[tool("alpha", parameters=schema, strict=True), tool("beta", strict=None)])
    sent = {each["name"]: each for each in gateway.upstream()[0].body["tools"]}
    assert sent["alpha"]["input_schema"] == schema


async def test_legacy_functions_are_answered_in_their_own_words(gateway: Running) -> None:
    gateway.endpoint.script = calls("alpha", text="")
    functions = [each["function"] for each in TOOLS]
    messages: list[dict[str, Any]] = [{"role": "user", "content": "The old way."}]
    answer = await gateway.ask(messages, functions=functions, function_call="auto")
    assert answer.reason == "function_call"
    assert answer.message.function_call.name == "alpha"
    assert answer.message.tool_calls is None
    messages.append({"role": "assistant", "content": None, "function_call": answer.message.function_call.model_dump()})
    messages.append({"role": "function", "name": "alpha", "content": "r"})
    resumed = await gateway.ask(messages, functions=functions)
    assert resumed.text == "done"
    [found] = results_in(gateway.upstream()[-1])
    assert found["content"][0]["text"] == "r"
