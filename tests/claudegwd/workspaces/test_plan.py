from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from claudegwd.config.schema import ClaudeConfig, WorkspaceConfig
from claudegwd.limits.clients import ANONYMOUS, Client
from claudegwd.messages_api.request import MessagesRequest, read_messages_request
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat.request import ChatRequest, parse_chat_request
from claudegwd.openai_api.errors import UnsupportedParameter
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.web_search import WebSearch
from claudegwd.translate.request.catalogue import Model
from claudegwd.workspaces.plan import (
    in_workspace,
    may_use,
    names_for,
    workspace_messages_plan,
    workspace_of,
    workspace_plan,
)

MODEL = Model("sonnet", "sonnet", "Sonnet", "", (), "budget", thinking_off=True, created=1)
WORKSPACES = {
    "repo": WorkspaceConfig(directory="/w", clients=("webui",)),
    "open": WorkspaceConfig(directory="/w", anonymous=True, models=("opus", "haiku")),
}


LOOK = {"name": "look", "input_schema": {"type": "object"}}


def chat(**more: Any) -> ChatRequest:
    body = {"model": "sonnet@repo", "messages": [{"role": "user", "content": "Hello"}], **more}
    return parse_chat_request(json.dumps(body).encode(), Bounds())


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("sonnet@repo", ("sonnet", "repo")),
        ("sonnet[1m]@repo", ("sonnet[1m]", "repo")),
        ("claude-sonnet-4@20250514@repo", ("claude-sonnet-4@20250514", "repo")),
        ("sonnet@other", None),
        ("@repo", None),
        ("repo", None),
        ("claude-sonnet-4@20250514", None),
    ],
)
def test_names(name: str, found: tuple[str, str] | None) -> None:
    assert workspace_of(name, WORKSPACES) == found


@pytest.mark.parametrize(
    ("workspace", "client", "allowed"),
    [
        ("repo", Client("webui", b""), True),
        ("repo", Client("webui", b"", models=("sonnet",)), True),
        ("repo", Client("webui", b"", models=("sonnet@repo",)), True),
        ("repo", Client("webui", b"", models=("opus",)), False),
        ("repo", Client("other", b""), False),
        ("repo", ANONYMOUS, False),
        ("open", ANONYMOUS, True),
        ("open", Client("webui", b""), False),
    ],
)
def test_who_may_use_it(workspace: str, client: Client, *, allowed: bool) -> None:
    assert may_use(WORKSPACES[workspace], client, f"sonnet@{workspace}") is allowed


def test_what_is_listed() -> None:
    assert list(names_for(WORKSPACES, ClaudeConfig(), ANONYMOUS)) == ["opus@open", "haiku@open"]
    assert list(names_for(WORKSPACES, ClaudeConfig(), Client("webui", b""))) == ["sonnet@repo"]
    assert list(names_for(WORKSPACES, ClaudeConfig(), Client("other", b""))) == []


def test_a_plan_names_what_is_left_to_the_cli() -> None:
    model = in_workspace(MODEL, "sonnet@repo", "repo")
    plan = workspace_plan(chat(temperature=0.1, stop=["x"], max_tokens=5), model, ANONYMOUS)
    assert (plan.model.id, plan.model.cli_name, plan.model.workspace) == ("sonnet@repo", "sonnet", "repo")
    assert {"temperature", "stop", "max_tokens"} <= set(plan.settings.ignored)


@pytest.mark.parametrize(
    "more",
    [
        {"n": 2},
        {"tools": [{"type": "function", "function": {"name": "Bash"}}]},
        {"tools": [{"type": "function", "function": {"name": "mcp__git__log"}}]},
        {"tool_choice": "required", "tools": [{"type": "function", "function": {"name": "look"}}]},
        {"response_format": {"type": "json_object"}},
        {"web_search_options": {}},
    ],
)
def test_what_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        workspace_plan(chat(**more), in_workspace(MODEL, "sonnet@repo", "repo"), ANONYMOUS)
    assert caught.value.param == next(iter(more))


def test_a_search_that_is_only_offered_is_left_out() -> None:
    model = in_workspace(MODEL, "sonnet@repo", "repo")
    offered = WebSearch(param="tools", offered=True)
    plan = workspace_plan(msgspec.structs.replace(chat(), web_search=offered), model, ANONYMOUS)
    assert "tools.web_search" in plan.settings.ignored
    demanded = WebSearch(param="tools", demanded=True)
    with pytest.raises(UnsupportedParameter, match="cannot accept a web search here") as caught:
        workspace_plan(msgspec.structs.replace(chat(), web_search=demanded), model, ANONYMOUS)
    assert caught.value.param == "tools"


def test_tools_of_the_client_s_own() -> None:
    model = in_workspace(MODEL, "sonnet@repo", "repo")
    tools = [{"type": "function", "function": {"name": "look"}}]
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    called = [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]},
              {"role": "tool", "tool_call_id": "c", "content": "y"}]  # fmt: skip
    for more, names in (
        ({"tools": tools}, ["look"]),
        ({"tools": tools, "tool_choice": "none"}, []),
        ({"messages": called}, []),  # what the history alone knows is not offered again
    ):
        plan = workspace_plan(chat(**more), model, ANONYMOUS)
        assert [tool["name"] for tool in plan.tools.manifest] == names
    for choice, names in (("auto", ["look"]), ("none", [])):
        plan = workspace_messages_plan(message(tools=[LOOK], tool_choice={"type": choice}), model, ANONYMOUS)
        assert [tool["name"] for tool in plan.tools.manifest] == names


def message(**more: Any) -> MessagesRequest:
    body = {"model": "sonnet@repo", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}], **more}
    return read_messages_request(Fields(body), "", Bounds())


def test_a_plan_of_the_messages_api() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    wanted = message(system="Be brief.", temperature=1, thinking=thinking)
    plan = workspace_messages_plan(wanted, in_workspace(MODEL, "sonnet@repo", "repo"), ANONYMOUS)
    assert (plan.model.workspace, plan.system, len(plan.entries)) == ("repo", "Be brief.", 1)
    assert {"temperature", "max_tokens", "thinking"} <= set(plan.settings.ignored)


@pytest.mark.parametrize(
    ("param", "more"),
    [
        ("tools", {"tools": [{"name": "Read", "input_schema": {"type": "object"}}]}),
        ("tools", {"tools": [{"type": "bash_20250124", "name": "bash"}]}),
        ("tool_choice", {"tools": [LOOK], "tool_choice": {"type": "tool", "name": "look"}}),
        ("tool_choice", {"tools": [LOOK], "tool_choice": {"type": "any"}}),
        ("tools", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        ("output_config.format", {"output_config": {"format": {"type": "json_schema", "schema": {}}}}),
        ("mcp_servers", {"mcp_servers": [{"type": "url", "url": "https://example.org", "name": "x"}]}),
    ],
)
def test_what_the_messages_api_refuses(param: str, more: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        workspace_messages_plan(message(**more), in_workspace(MODEL, "sonnet@repo", "repo"), ANONYMOUS)
    assert caught.value.param == param
