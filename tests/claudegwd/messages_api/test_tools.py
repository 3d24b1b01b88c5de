"""Tools: whose they are, and which of them cost."""

from typing import Any

import pytest

from claudegwd.messages_api.tools import PRICED, check_allowed, read_tools
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import CallerError, PermissionDenied
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.parameters import MAX_NAMED

OWN = {"name": "Bash", "description": "d", "input_schema": {"type": "object"}, "strict": True, "cache_control": {}}


def read(*tools: Any) -> Any:
    return read_tools(Fields({"tools": list(tools)}), Bounds())


def test_tools_of_the_clients_own_making_whatever_their_names() -> None:
    tools = read(OWN, {"type": "custom", "name": "Read", "input_schema": {}})
    assert [(tool.name, tool.description) for tool in tools.own] == [("Bash", "d"), ("Read", None)]
    assert tools.named == ("Bash", "Read")
    assert tools.extras == ("cache_control", "strict")
    assert not tools.typed


def test_only_field_names_that_fit_into_a_header_are_noted_and_not_too_many() -> None:
    odd = {"a\r\nx-made-up: 1": 1, "日本": 1, "": 1, "a" * 65: 1}
    assert read({"name": "a", "input_schema": {}, **odd, "strict": True}).extras == ("strict",)
    many = {f"field_{number}": 1 for number in range(1000)}
    assert len(read({"name": "a", "input_schema": {}, **many}).extras) == MAX_NAMED


def test_tools_that_anthropic_names_and_the_client_runs() -> None:
    tools = read({"type": "bash_20250124", "name": "bash"}, {"type": "text_editor_20250728", "name": "edit"})
    assert tools.named == ("bash", "edit")
    assert (tools.own, tools.typed, tools.server) == ((), "tools[0]", ())


@pytest.mark.parametrize("name", PRICED)
def test_tools_that_cost_need_permission(name: str) -> None:
    tools = read({"type": f"{name}_20260318", "name": name}, {"type": f"{name}_20250305", "name": name})
    assert tools.server == (name,)
    check_allowed(tools, frozenset((name,)))
    with pytest.raises(PermissionDenied, match="server_tools"):
        check_allowed(tools, frozenset())


def test_without_tools() -> None:
    check_allowed(read_tools(Fields({}), Bounds()), frozenset())


@pytest.mark.parametrize(
    ("tool", "path"),
    [
        ({"name": "a b", "input_schema": {}}, "tools[0].name"),
        ({"input_schema": {}}, "tools[0].name"),
        ({"name": "a"}, "tools[0].input_schema"),
        ({"type": "function", "function": {"name": "a"}}, "tools[0].type"),
        ({"type": "advisor_20260301", "name": "advisor"}, "tools[0].type"),
    ],
)
def test_tools_that_are_refused_by_their_path(tool: Any, path: str) -> None:
    with pytest.raises(CallerError) as raised:
        read(tool)
    assert raised.value.param == path


def test_two_of_one_name() -> None:
    with pytest.raises(CallerError) as raised:
        read(OWN, OWN)
    assert raised.value.param == "tools[1].name"
