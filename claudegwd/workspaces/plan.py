"""Which workspace models each client has, and what a request to one may contain. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NoReturn

from claudegwd.config.schema import ClaudeConfig, WorkspaceConfig
from claudegwd.limits.clients import Client
from claudegwd.messages_api.request import MessagesRequest
from claudegwd.openai_api.chat.request import ChatRequest
from claudegwd.openai_api.errors import UnsupportedParameter
from claudegwd.openai_api.tools import NamedTool
from claudegwd.translate.request.catalogue import Model
from claudegwd.translate.request.messages_plan import messages_plan
from claudegwd.translate.request.plan import Plan, make_plan
from claudegwd.translate.request.tools import ToolSet
from claudegwd.workspaces.rules import MCP, TOOLS

# What the CLI decides itself when it works with its own tools. Nobody is worse off without them.
_LEFT_TO_CLI = ("temperature", "top_p", "top_k", "max_tokens", "stop", "parallel_tool_calls")
_MESSAGES_LEFT_TO_CLI = ("temperature", "top_p", "top_k", "max_tokens", "stop_sequences", "thinking")

_TOOLS = "a tool that Anthropic defines or runs: Claude has its own here, and your tools as well if they have a schema"
_CHOICE = "a tool choice: Claude decides itself which tools it uses here"
_FORMAT = "a format: ask for it in the prompt"


def workspace_of(name: str, workspaces: Mapping[str, WorkspaceConfig]) -> tuple[str, str] | None:
    """The plain model and the workspace of a name such as "sonnet@repo"; None if there is no such workspace."""
    model, at, workspace = name.rpartition("@")
    return (model, workspace) if at and model and workspace in workspaces else None


def may_use(workspace: WorkspaceConfig, client: Client, name: str) -> bool:
    """Whether the workspace exists for this client. A client without a name has no key."""
    granted = client.name in workspace.clients if client.name else workspace.anonymous
    model = name.rpartition("@")[0]
    return granted and (client.allows(name) or client.allows(model))


def models_of(workspace: WorkspaceConfig, config: ClaudeConfig) -> tuple[str, ...]:
    """Its plain models."""
    return workspace.models or (config.default_model,)


def names_for(workspaces: Mapping[str, WorkspaceConfig], config: ClaudeConfig, client: Client) -> Iterator[str]:
    """The names of all workspace models that this client may use."""
    for name, workspace in workspaces.items():
        for model in models_of(workspace, config):
            if may_use(workspace, client, f"{model}@{name}"):
                yield f"{model}@{name}"


def in_workspace(model: Model, name: str, workspace: str) -> Model:
    """The plain model under its name in a workspace."""
    return replace(model, id=name, workspace=workspace, description=f"{model.display_name} in {workspace}")


def workspace_plan(wanted: ChatRequest, model: Model, client: Client) -> Plan:
    """Plan a request to a workspace. Raises UnsupportedParameter for what its answer would be wrong without."""
    wanted = _without_search(wanted)
    if wanted.n > 1:
        _refuse("n", "several answers: they would work in the same directory at the same time")
    if wanted.tool_choice == "required" or isinstance(wanted.tool_choice, NamedTool):
        _refuse("tool_choice", _CHOICE)
    _check_names((tool.name for tool in wanted.tools), "tools")
    plan = make_plan(wanted, model, client.name, client.owner)
    if not wanted.tools or wanted.tool_choice == "none":
        plan = replace(plan, tools=ToolSet())  # tools from the history are not offered again
    if plan.format is not None:
        _refuse("response_format", _FORMAT)
    given = tuple(name for name in _LEFT_TO_CLI if getattr(wanted, name, None) not in (None, (), []))
    return _ignoring(plan, given)


def _without_search(wanted: ChatRequest) -> ChatRequest:
    """The request without the client's web search, which agents may offer without needing it."""
    search = wanted.web_search
    if search is None:
        return wanted
    if not search.offered:
        _refuse(search.param, "a web search here: ask the operator to add WebSearch to the workspace's tools")
    return wanted.without_search()


def workspace_messages_plan(wanted: MessagesRequest, model: Model, client: Client) -> Plan:
    """The same for a request of the Messages API. Raises CallerError."""
    choice = wanted.body.get("tool_choice") or {}
    if wanted.tools.server or wanted.tools.typed:
        _refuse("tools", _TOOLS)
    if choice.get("type") not in (None, "auto", "none"):
        _refuse("tool_choice", _CHOICE)
    _check_names(wanted.tools.named, "tools")
    if (wanted.body.get("output_config") or {}).get("format") is not None:
        _refuse("output_config.format", _FORMAT)
    plan = messages_plan(wanted, model, client.name, client.owner, whole=False, plain_system=False)
    if choice.get("type") == "none":
        plan = replace(plan, tools=ToolSet())
    given = tuple(name for name in _MESSAGES_LEFT_TO_CLI if name in wanted.body)
    return _ignoring(plan, given + (("tool_choice",) if choice.get("disable_parallel_tool_use") else ()))


def _check_names(names: Iterable[str], param: str) -> None:
    """The client's tools must not be mistaken for those that the policy decides about."""
    for name in names:
        if name in TOOLS or name.startswith(MCP):
            _refuse(param, f"a tool of yours named {name[:80]}: Claude has a tool of this name; rename yours")


def _ignoring(plan: Plan, names: tuple[str, ...]) -> Plan:
    ignored = tuple(dict.fromkeys((*plan.settings.ignored, *names)))
    return replace(plan, settings=replace(plan.settings, ignored=ignored))


def _refuse(param: str, what: str) -> NoReturn:
    raise UnsupportedParameter(f"cannot accept {what}", param=param)
