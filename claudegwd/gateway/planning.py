"""From a request to its plan, given the configuration and the client's permissions.

A request may wait while the configuration changes, and is then planned again: what depends on how requests are sent
belongs in the functions that make the plan for a model.
"""

from collections.abc import Callable

from claudegwd.gateway.gateway import Gateway
from claudegwd.limits.clients import Client
from claudegwd.messages_api.confined import for_transcript
from claudegwd.messages_api.request import MessagesRequest
from claudegwd.messages_api.tools import check_allowed, check_use
from claudegwd.openai_api.chat.request import ChatRequest
from claudegwd.openai_api.errors import CallerError
from claudegwd.openai_api.fields import cannot_honour
from claudegwd.translate.request.catalogue import Model
from claudegwd.translate.request.fallbacks import with_fallbacks
from claudegwd.translate.request.history import Begun
from claudegwd.translate.request.messages_plan import messages_plan
from claudegwd.translate.request.parameters import WEB_SEARCH
from claudegwd.translate.request.plan import Plan, make_plan
from claudegwd.workspaces.plan import workspace_messages_plan, workspace_plan


def plan_chat(gateway: Gateway, wanted: ChatRequest, client: Client, begun: Begun | None = None) -> Plan:
    """Plan this client's chat request, which may continue from what has `begun`. Raises ModelNotFound and the
    translation's CallerErrors."""
    model = gateway.offered.find(wanted.model, client)
    if model.workspace:
        return workspace_plan(wanted, model, client)

    def make(model: Model) -> Plan:
        return make_plan(_with_search(gateway, wanted, client), model, client.name, client.owner, begun)

    return _planned(gateway, model, client, make)


def _with_search(gateway: Gateway, wanted: ChatRequest, client: Client) -> ChatRequest:
    """The request, without web search if that is optional and unavailable. Raises CallerError if it is required."""
    search = wanted.web_search
    if search is None:
        return wanted
    if search.offered and any(tool.name == WEB_SEARCH for tool in wanted.tools):
        return wanted.without_search()  # the client's own tool of this name is the one that it runs itself
    try:
        check_use(WEB_SEARCH, server_tools(gateway, client), search.param)
        if not gateway.launcher.carries_whole():
            cannot_honour(search.param, "the gateway uses the Claude Code CLI's login, with which it cannot search")
    except CallerError:
        if not search.offered:
            raise
        return wanted.without_search()
    return wanted


def plan_messages(gateway: Gateway, wanted: MessagesRequest, client: Client, *, confined: bool = False) -> Plan:
    """Plan a Messages API request. Raises the same errors, and PermissionDenied for a tool that costs money.

    `confined`: it comes from a workspace, where the same model answers all requests of one answer.
    """
    model = gateway.offered.find(wanted.model, client)
    if model.workspace:
        return workspace_messages_plan(wanted, model, client)
    check_allowed(wanted.tools, server_tools(gateway, client))

    def make(model: Model) -> Plan:
        whole = gateway.launcher.carries_whole()
        plain = whole and gateway.config.claude.system == "plain"
        sent = for_transcript(wanted) if confined and not whole else wanted
        return messages_plan(sent, model, client.name, client.owner, whole=whole, plain_system=plain)

    return with_fallbacks(make, model, []) if confined else _planned(gateway, model, client, make)


def server_tools(gateway: Gateway, client: Client) -> frozenset[str]:
    """The upstream's own tools that the client may use: those of its key if we issued it, else the configured ones."""
    own_key = client.digest and not client.configured
    return frozenset(client.server_tools if own_key else gateway.config.claude.server_tools)


def _planned(gateway: Gateway, model: Model, client: Client, make: Callable[[Model], Plan]) -> Plan:
    """The plan for this model and for its fallbacks that this client may use."""
    return with_fallbacks(make, model, list(gateway.offered.stand_ins(model, client)))
