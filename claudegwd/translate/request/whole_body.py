"""A plan as one body of the Messages API, for a CLI that takes the whole body from its settings.

The CLI's processing of a transcript (cache markers, tools, images, texts next to results) does not happen then: the
upstream gets exactly this body.
"""

from collections.abc import Sequence
from typing import Any

from claudegwd.claude_cli.commands import encode
from claudegwd.openai_api.chat.request import Tool
from claudegwd.translate.request.history import Entry
from claudegwd.translate.request.plan import Plan
from claudegwd.translate.request.tools import EMPTY_SCHEMA, cli_name

_MARK = {"type": "ephemeral"}

# The Messages API allows four cache markers. The CLI marks its own and the client's system prompt; in a system prompt
# of ours one is enough. Tools precede the system prompt, so its marker covers them.
_MARKED_USER_TURNS = 2


def whole_body(plan: Plan, *, system: bool) -> str:
    """The JSON text of the body, for the CLI's extra body.

    `system`: with the client's system prompt, replacing all that the CLI would say there. Otherwise `initialize` must
    have set it.
    """
    if plan.own_body is not None:
        own = plan.own_body if system else {name: said for name, said in plan.own_body.items() if name != "system"}
        return encode(own).decode()
    body: dict[str, Any] = {**plan.settings.body}
    body["messages"] = _messages(plan.entries)
    tools = [_tool(tool) for tool in plan.tools.declared]
    own_names = plan.tools.own_names
    if own_names:
        blocks = (block for message in body["messages"] for block in message["content"])
        for named in (*tools, *blocks, body.get("tool_choice", {})):
            if named.get("name") in own_names:
                named["name"] = own_names[named["name"]]
    if system:
        body["system"] = [{"type": "text", "text": plan.system, "cache_control": _MARK}] if plan.system else []
    if tools and not plan.system:
        tools[-1]["cache_control"] = _MARK
    # Always present: the CLI fills in whatever a body leaves out.
    body["tools"] = [*plan.server_tools, *tools]
    return encode(body).decode()  # in this order: a schema's determines the answer's


def _messages(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The conversation, with a marker at the end of the last two user turns: the next request finds the first of them
    in the cache, whatever the answer to this one."""
    messages: list[dict[str, Any]] = [
        {"role": entry.role, "content": [{**block} for block in entry.content()]} for entry in entries
    ]
    users = [message["content"] for message in messages if message["role"] == "user"]
    for content in users[-_MARKED_USER_TURNS:]:
        content[-1] = {**content[-1], "cache_control": _MARK}
    return messages


def _tool(tool: Tool) -> dict[str, Any]:
    """As the client wrote it; OpenAI's clients omit the type for tools without parameters."""
    made: dict[str, Any] = {"name": cli_name(tool.name)}
    if tool.description:
        made["description"] = tool.description
    return {**made, "input_schema": {**EMPTY_SCHEMA, **(tool.parameters or {})}}
