"""Tools and what may be chosen of them, in the modern and the legacy words."""

from typing import Any, Literal

import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import CallerError
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.tools import NamedTool, Tool, ToolSettings, read_tool_use

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


def read(**body: Any) -> ToolSettings:
    return read_tool_use(Fields(body), Bounds(max_tools=50))


def tool(name: Any = "f", **function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **function}}


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def test_a_tool_is_kept_whole() -> None:
    use = read(tools=[tool("read_file", description="d" * 100_000, parameters=SCHEMA, strict=True, more=1)])
    assert use.tools == (Tool("read_file", "d" * 100_000, SCHEMA, strict=True),)
    assert (use.choice, use.parallel, use.legacy) == (None, None, False)


@pytest.mark.parametrize("strict", [{}, {"strict": None}, {"strict": False}])
def test_strict_may_be_left_out(strict: dict[str, Any]) -> None:
    assert read(tools=[tool(**strict)]).tools == (Tool("f"),)


@pytest.mark.parametrize("parameters", [None, {}, {"type": None, "properties": {}}, {"type": "object"}])
def test_a_function_may_take_nothing(parameters: Any) -> None:
    (one,) = read(tools=[tool(parameters=parameters)]).tools
    assert not (one.parameters or {}).get("properties")


@pytest.mark.parametrize("name", ["a", "a-b", "server.tool", "A_1", "x" * 128])
def test_names_that_clients_use(name: str) -> None:
    assert read(tools=[tool(name)]).tools[0].name == name


def test_tools_shaped_as_for_responses() -> None:
    flat = {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA}
    assert read(tools=[flat], tool_choice={"type": "function", "name": "f"}) == ToolSettings(
        (Tool("f", "d", SCHEMA),), NamedTool("f")
    )


ANTHROPIC = {"name": "f", "description": "Does f.", "input_schema": SCHEMA}


@pytest.mark.parametrize("kind", [{}, {"type": None}, {"type": "custom"}])
def test_tools_shaped_as_for_messages(kind: dict[str, Any]) -> None:
    assert read(tools=[{**ANTHROPIC, **kind}]).tools == (Tool("f", "Does f.", SCHEMA),)


@pytest.mark.parametrize(
    ("choice", "read_as", "parallel"),
    [
        ({"type": "auto"}, "auto", None),
        ({"type": "any", "disable_parallel_tool_use": True}, "required", False),
        ({"type": "none", "disable_parallel_tool_use": False}, "none", None),
        ({"type": "tool", "name": "f"}, NamedTool("f"), None),
    ],
)
def test_choices_shaped_as_for_messages(choice: dict[str, Any], read_as: Any, parallel: bool | None) -> None:
    use = read(tools=[ANTHROPIC], tool_choice=choice)
    assert (use.choice, use.parallel) == (read_as, parallel)


@pytest.mark.parametrize("choice", ["none", "auto", "required"])
def test_choices(choice: Literal["none", "auto", "required"]) -> None:
    use = read(tools=[tool()], tool_choice=choice, parallel_tool_calls=False)
    assert use == ToolSettings((Tool("f"),), choice, parallel=False)


def test_one_may_be_named() -> None:
    assert read(tools=[tool("f"), tool("g")], tool_choice=named("g")).choice == NamedTool("g")


def test_some_may_be_allowed() -> None:
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named("g")]}}
    use = read(tools=[tool("f"), tool("g")], tool_choice=allowed)
    assert use == ToolSettings((Tool("g"),), "required")


@pytest.mark.parametrize("choice", ["none", "auto", None])
@pytest.mark.parametrize("tools", [[], None])
def test_without_tools_there_is_nothing_to_choose(choice: str | None, tools: Any) -> None:
    assert read(tools=tools, tool_choice=choice, parallel_tool_calls=True) == ToolSettings(parallel=True)


def test_legacy_functions() -> None:
    function = {"name": "f", "description": "d", "parameters": SCHEMA}
    assert read(functions=[function]) == ToolSettings((Tool("f", "d", SCHEMA),), None, parallel=False, legacy=True)
    assert read(functions=[function], function_call="none").choice == "none"
    assert read(functions=[function], function_call={"name": "f"}).choice == NamedTool("f")
    assert read(functions=[], function_call="auto") == ToolSettings()


def with_parameters(parameters: Any) -> dict[str, Any]:
    return {"tools": [tool(parameters=parameters)]}


PARAMETERS = "tools[0].function.parameters"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": ["f"]}, "tools[0]"),
        ({"tools": [tool()] * 51}, "tools"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [tool(None)]}, "tools[0].function.name"),
        ({"tools": [tool(7)]}, "tools[0].function.name"),
        ({"tools": [tool("")]}, "tools[0].function.name"),
        ({"tools": [tool("a b")]}, "tools[0].function.name"),
        ({"tools": [tool("é")]}, "tools[0].function.name"),
        ({"tools": [tool("f\n")]}, "tools[0].function.name"),
        ({"tools": [tool("x" * 129)]}, "tools[0].function.name"),
        ({"tools": [tool("f"), tool("g"), tool("f")]}, "tools[2].function.name"),
        ({"tools": [tool(description=1)]}, "tools[0].function.description"),
        ({"tools": [tool(strict="yes")]}, "tools[0].function.strict"),
        (with_parameters([]), PARAMETERS),
        (with_parameters("{}"), PARAMETERS),
        (with_parameters({"type": "string"}), f"{PARAMETERS}.type"),
        (with_parameters({"type": ["object"]}), f"{PARAMETERS}.type"),
        (with_parameters({"properties": {"a": {"type": "strin"}}}), f"{PARAMETERS}.properties.a.type"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": 3}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": named("f")}, "tool_choice.function.name"),
        ({"tools": [tool()], "tool_choice": named("g")}, "tool_choice.function.name"),
        ({"tools": [tool()], "tool_choice": {}}, "tool_choice.type"),
        ({"tools": [tool()], "tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tools": [tool()], "tool_choice": {"type": "custom"}}, "tool_choice.type"),
        ({"tools": [tool()], "tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools"),
        ({"tools": [tool()], "parallel_tool_calls": "no"}, "parallel_tool_calls"),
        ({"functions": [{}]}, "functions[0].name"),
        ({"functions": [{"name": "f"}, {"name": "f"}]}, "functions[1].name"),
        ({"functions": [{"name": "f"}], "tools": [tool()]}, "functions"),
        ({"functions": [{"name": "f"}], "tool_choice": "auto"}, "tool_choice"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call.name"),
        ({"function_call": {"name": "g"}}, "function_call.name"),
        ({"function_call": "required"}, "function_call"),
    ],
)
def test_faults_are_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(CallerError) as caught:
        read(**body)
    assert caught.value.param == param
