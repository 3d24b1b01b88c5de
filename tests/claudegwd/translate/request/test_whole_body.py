"""A plan as one body: what was said, as it was said, with the markers where they pay."""

import json
from typing import Any

import msgspec
import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat.request import parse_chat_request
from claudegwd.translate.request.catalogue import offered
from claudegwd.translate.request.plan import make_plan
from claudegwd.translate.request.whole_body import whole_body

MODEL = "claude-sonnet-4-20250514"
MARK = {"type": "ephemeral"}
MAX_MARKS = 4  # the Messages API's; the CLI places two of its own before a system prompt that it was told
ODD = {"type": "object", "properties": {"filter[id]": {"type": "string"}}, "anyOf": [{"required": ["filter[id]"]}]}


def body(messages: list[dict[str, Any]], *, system: bool = False, **more: Any) -> dict[str, Any]:
    raw = msgspec.json.encode({"model": MODEL, "messages": messages, **more})
    plan = make_plan(parse_chat_request(raw, Bounds()), offered((), (), {})[MODEL], "a")
    made: dict[str, Any] = json.loads(whole_body(plan, system=system))
    return made


def marks(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(marks, value))
    return ("cache_control" in value) + sum(map(marks, value.values())) if isinstance(value, dict) else 0


def said(*texts: str) -> list[dict[str, Any]]:
    return [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(texts)]


def test_the_conversation_as_it_is_with_a_mark_on_the_last_two_user_turns() -> None:
    made = body(said("1", "2", "3", "4", "5"))
    texts = [message["content"] for message in made["messages"]]
    assert [message["role"] for message in made["messages"]] == ["user", "assistant"] * 2 + ["user"]
    assert [block["text"] for (block,) in texts] == ["1", "2", "3", "4", "5"]
    assert ["cache_control" in block for (block,) in texts] == [False, False, True, False, True]


def test_tools_as_the_client_wrote_them() -> None:
    function = {"name": "look", "description": "One.\n\nTwo.", "parameters": ODD}
    (tool,) = body(said("1"), tools=[{"type": "function", "function": function}])["tools"]
    assert {key: tool[key] for key in ("name", "description")} == {"name": "look", "description": "One.\n\nTwo."}
    assert tool["input_schema"] == ODD


def test_a_tool_without_parameters_takes_an_object() -> None:
    (tool,) = body(said("1"), tools=[{"type": "function", "function": {"name": "look"}}])["tools"]
    assert tool == {"name": "look", "input_schema": {"type": "object", "properties": {}}, "cache_control": MARK}


def test_what_is_left_out_is_named_so_that_the_cli_fills_nothing_in() -> None:
    made = body(said("1"))
    assert made["tools"] == []
    assert made["thinking"] == {"type": "disabled"}
    assert "system" not in made
    assert body(said("1"), system=True)["system"] == []


def test_the_system_prompt_only_where_it_is_wanted() -> None:
    messages = [{"role": "system", "content": "Be brief."}, *said("1")]
    assert "system" not in body(messages)
    assert body(messages, system=True)["system"] == [{"type": "text", "text": "Be brief.", "cache_control": MARK}]


@pytest.mark.parametrize("system", [True, False])
@pytest.mark.parametrize("prompt", ["", "Be brief."])
def test_never_more_marks_than_the_api_takes(prompt: str, system: bool) -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in "ab"]
    messages = [{"role": "system", "content": prompt}, *said("1", "2", "3", "4", "5")]
    own = marks(body(messages, system=system, tools=tools))
    of_the_cli = 0 if system else 2 if prompt else 1
    assert own + of_the_cli <= MAX_MARKS


def test_names_that_only_the_cli_keeps_for_itself_are_the_clients_own() -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("ToolSearch", "a.b")]
    call = {"id": "c1", "type": "function", "function": {"name": "ToolSearch", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": "c1", "content": "r"}
    history = [*said("1"), {"role": "assistant", "tool_calls": [call]}, result]
    choice = {"type": "function", "function": {"name": "ToolSearch"}}
    made = body(history, tools=tools, tool_choice=choice)
    first, second = (tool["name"] for tool in made["tools"])
    assert first == made["messages"][1]["content"][0]["name"] == made["tool_choice"]["name"] == "ToolSearch"
    assert second != "a.b"  # the Messages API would refuse it


def test_the_plan_is_left_as_it_is() -> None:
    raw = msgspec.json.encode({"model": MODEL, "messages": said("1")})
    plan = make_plan(parse_chat_request(raw, Bounds()), offered((), (), {})[MODEL], "a")
    assert whole_body(plan, system=False) == whole_body(plan, system=False)
    assert plan.entries[0].blocks == ({"type": "text", "text": "1"},)
