from typing import Any

import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import CallerError
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.responses.tools import CallShape, ResponsesTools, read_tools
from claudegwd.openai_api.tools import NamedTool, Tool

PARAMETERS = {"type": "object", "properties": {}}
F = {"type": "function", "name": "f", "description": "d", "parameters": PARAMETERS, "strict": True}
PATCH = {
    "type": "custom",
    "name": "patch",
    "description": "Patch.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
}
SPACE = {"type": "namespace", "name": "mcp", "description": "", "tools": [{"type": "function", "name": "f"}]}
SEARCH = {"type": "web_search", "external_web_access": False}


def read(tools: Any, choice: Any = None) -> ResponsesTools:
    return read_tools(Fields({"tools": tools, "tool_choice": choice}), Bounds())


def test_functions_are_flat() -> None:
    found = read([F, {"type": "function", "name": "g"}])
    assert found.tools == (Tool("f", "d", PARAMETERS, strict=True), Tool("g"))
    assert found.paths == ("tools[0]", "tools[1]")
    assert found.shown == [
        F,
        {"type": "function", "name": "g", "description": None, "parameters": None, "strict": False},
    ]


def test_what_openais_servers_run_is_left_aside_and_named() -> None:
    found = read([SEARCH, F, {"type": "local_shell"}])
    assert [tool.name for tool in found.tools] == ["f"]
    assert found.paths == ("tools[1]",)
    assert found.skipped == ("tools.web_search", "tools.local_shell")
    assert found.shown[0] == SEARCH


def test_a_custom_tool_is_a_function_of_one_text_and_its_grammar_is_told() -> None:
    found = read([PATCH])
    [tool] = found.tools
    assert tool.name == "patch"
    assert tool.description == "Patch.\n\nThe input must satisfy this lark grammar:\nstart: x"
    assert tool.parameters is not None
    assert tool.parameters["required"] == ["input"]
    assert found.shapes["patch"] == CallShape("custom", "patch")


def test_the_functions_of_a_namespace_carry_its_name() -> None:
    found = read([F, SPACE])
    assert [tool.name for tool in found.tools] == ["f", "mcp__f"]
    assert found.paths == ("tools[0]", "tools[1].tools[0]")
    assert found.shapes["mcp__f"] == CallShape("function", "f", "mcp")


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (None, None),
        ("auto", "auto"),
        ("required", "required"),
        ({"type": "function", "name": "f"}, NamedTool("f")),
        ({"type": "custom", "name": "patch"}, NamedTool("patch")),
        ({"type": "function", "name": "f", "namespace": "mcp"}, NamedTool("mcp__f")),
    ],
)
def test_choices(choice: Any, wanted: Any) -> None:
    assert read([F, PATCH, SPACE], choice).choice == wanted


def test_allowed_tools_are_all_that_the_model_knows() -> None:
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "patch"}, SEARCH]}
    found = read([F, PATCH], allowed)
    assert [tool.name for tool in found.tools] == ["patch"]
    assert (found.choice, found.paths) == ("required", ("tools[1]",))


def test_the_clients_own_search_of_tools_may_be_among_the_allowed() -> None:
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "tool_search"}]}
    found = read([F, {"type": "tool_search", "execution": "client"}], allowed)
    assert [tool.name for tool in found.tools] == ["tool_search"]
    assert read([F, {"type": "tool_search"}], allowed).tools == ()  # a server's


LIVE = {"type": "web_search_preview"}


@pytest.mark.parametrize(
    ("tools", "choice", "searches", "demanded"),
    [
        ([F, LIVE], None, True, False),
        ([F, LIVE], "required", True, False),
        ([F, LIVE], "none", False, False),
        ([LIVE], "required", True, True),
        ([F, LIVE], LIVE, True, True),
        ([F, LIVE], {"type": "allowed_tools", "mode": "auto", "tools": [F]}, False, False),
        ([F, LIVE], {"type": "allowed_tools", "mode": "auto", "tools": [F, LIVE]}, True, False),
        ([F, LIVE], {"type": "allowed_tools", "mode": "required", "tools": [LIVE]}, True, True),
    ],
)
def test_whether_a_search_may_or_has_to_be_made(tools: Any, choice: Any, searches: bool, demanded: bool) -> None:
    search = read(tools, choice).search
    assert (search is not None) is searches
    assert search is None or (search.demanded, search.offered) == (demanded, not demanded)


@pytest.mark.parametrize(
    ("tools", "choice", "param"),
    [
        ([{"name": "f"}], None, "tools[0].type"),
        ([{"type": "function"}], None, "tools[0].name"),
        ([{"type": "function", "name": "a b"}], None, "tools[0].name"),
        ([F, F], None, "tools[1].name"),
        ([{**SPACE, "tools": [{"type": "function"}]}], None, "tools[0].tools[0].name"),
        ([{**F, "parameters": {"type": "string"}}], None, "tools[0].parameters.type"),
        ([F], "any", "tool_choice"),
        ([SEARCH], "required", "tool_choice"),
        ([F], {"type": "function", "name": "g"}, "tool_choice.name"),
        ([SEARCH], {"type": "web_search"}, "tool_choice.type"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_path(tools: Any, choice: Any, param: str) -> None:
    with pytest.raises(CallerError) as caught:
        read(tools, choice)
    assert caught.value.param == param


FIND = {"type": "tool_search", "execution": "client", "description": "Finds tools.", "parameters": PARAMETERS}


def test_a_search_that_the_client_runs_is_a_function() -> None:
    found = read([F, FIND])
    assert found.tools[1] == Tool("tool_search", "Finds tools.", PARAMETERS)
    assert found.shapes["tool_search"] == CallShape("tool_search", "tool_search")
    assert found.skipped == ()


def test_without_a_search_of_ours_deferred_tools_are_offered_at_once() -> None:
    found = read([{**F, "defer_loading": True}, {**F, "name": "g", "defer_loading": True}, {"type": "tool_search"}])
    assert [tool.name for tool in found.tools] == ["f", "g"]
    assert found.skipped == ("tools.defer_loading", "tools.tool_search")


def test_a_mark_of_a_cache_is_named() -> None:
    found = read([F, {**F, "name": "g", "cache_control": {"type": "ephemeral"}}])
    assert found.skipped == ("tools.cache_control",)


def test_tools_that_came_with_the_conversation_are_offered_once() -> None:
    later = [Fields(SPACE, "input[1].tools[0]"), Fields(F, "input[1].tools[1]"), Fields(SPACE, "input[2].tools[0]")]
    found = read_tools(Fields({"tools": [F]}), Bounds(), later)
    assert [tool.name for tool in found.tools] == ["f", "mcp__f"]
    assert found.paths == ("tools[0]", "input[1].tools[0].tools[0]")
    assert found.shown == [F]
    few = Bounds(max_tools=1)
    with pytest.raises(CallerError) as caught:
        read_tools(Fields({"tools": [F]}), few, later[:1])
    assert caught.value.param == "tools"
