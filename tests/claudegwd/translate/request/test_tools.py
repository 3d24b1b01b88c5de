"""The client's tools inside the CLI, and their names there and back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.openai_api.chat.request import Tool
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.translate.request.tools import MAX_NAME, ToolSet, cli_name, tool_set, tools_of_history
from tests.claudegwd.translate.requests import assistant, call, chat, result, user

API_RULE = re.compile(r"[a-zA-Z0-9_-]{1,128}")


@pytest.mark.parametrize("name", ["read", "read-file", "Bash", "mcp__other__x", "__x__", "_", "a" * 65, "a" * 128])
def test_names_that_the_api_takes_are_the_clients_own(name: str) -> None:
    assert cli_name(name) == name


@pytest.mark.parametrize(
    "name", ["a.b", "files.read", "é", "a b", "a" * 129, "", "\ud800", "ToolSearch", "mcp__ide__x"]
)
def test_others_are_mapped_and_always_to_the_same(name: str) -> None:
    mapped = cli_name(name)
    assert API_RULE.fullmatch(mapped)
    assert mapped == cli_name(name)
    assert cli_name(mapped) == mapped


@given(st.text(max_size=200))
def test_every_name_becomes_one_that_the_api_takes(name: str) -> None:
    assert API_RULE.fullmatch(cli_name(name))


def test_names_that_look_alike_stay_apart() -> None:
    names = ["a.b", "a_b", "a-b", "a..b", "x" * 140, "x" * 141]
    tools = tool_set([Tool(name) for name in names])
    assert len(tools.names) == len(names)
    assert [tools.client_name(str(tool["name"])) for tool in tools.manifest] == names


def test_a_name_that_another_is_mapped_to_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        tool_set([Tool("a.b"), Tool(cli_name("a.b"))])
    assert caught.value.param == "tools[1].function.name"


def test_a_tool_is_declared_whole() -> None:
    schema = {
        "type": "object",
        "properties": {"q": {"type": "string", "minLength": 1}},
        "required": ["q"],
        "additionalProperties": False,
        "$defs": {"x": {"enum": [1]}},
    }
    description = "long " * 10_000
    (declared,) = tool_set([Tool("read", description, schema, strict=True)]).manifest
    assert declared["name"] == "read"
    assert declared["description"] == description
    assert declared["inputSchema"] == schema
    assert declared["annotations"] == {"readOnlyHint": True}
    assert declared["_meta"]["anthropic/alwaysLoad"] is True


def test_an_empty_line_of_a_description_is_none_for_the_cli() -> None:
    (declared,) = tool_set([Tool("read", "One.\n\n\nTwo.\n")]).manifest
    assert declared["description"] == "One.\n \n \nTwo.\n"


def test_what_the_client_declared_stays_beside_what_the_cli_is_told() -> None:
    tools = (Tool("read.file", "One.\n\nTwo.", {"anyOf": [{"required": ["a b"]}]}), Tool("list"))
    assert tool_set(tools).declared == tools


@pytest.mark.parametrize("name", ["ToolSearch", "mcp__ide__x", "mcp__ide__executeCode"])
def test_names_that_the_cli_keeps_back_are_mapped(name: str) -> None:
    assert cli_name(name) != name
    assert tool_set([Tool(name)]).client_name(cli_name(name)) == name


@pytest.mark.parametrize(
    ("tools", "altered"),
    [
        ([Tool("a", "plain", {"properties": {"é": {}}})], ()),
        ([Tool("a"), Tool("b", "wait…")], ("tools.description",)),
        ([Tool("a", "wait…"), Tool("b", None, {"title": "½"})], ("tools.description", "tools.parameters")),
        ([Tool("a", None, {"properties": {"__proto__": {}}})], ("tools.parameters",)),
    ],
)
def test_what_is_altered_is_named(tools: list[Tool], altered: tuple[str, ...]) -> None:
    assert tool_set(tools).altered == altered


def test_what_the_model_called() -> None:
    tools = ToolSet((), {"read": "read", "odd_mark": "odd.name"})
    assert tools.client_name("odd_mark") == "odd.name"
    assert tools.client_name("mcp__gw__odd_mark") == "odd.name"
    assert tools.client_name("mcp__other__read") is None
    assert tools.client_name("odd.name") is None


def test_tools_of_a_history_are_declared_once_each() -> None:
    history = [user("a"), assistant(None, call("1"), call("2", "list")), result("1"), assistant(None, call("3"))]
    assert [tool.name for tool in tools_of_history(chat(history).messages)] == ["read", "list"]
    assert tools_of_history(chat().messages) == ()
    assert MAX_NAME == 128
