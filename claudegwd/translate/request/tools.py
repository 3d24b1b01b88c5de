"""The client's tools as the CLI's MCP tools, and the mapping of their names in both directions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from claudegwd.claude_cli.launch import TOOL_SERVER
from claudegwd.openai_api.chat.request import Message, Tool
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.translate.arguments import canonical
from claudegwd.translate.request.characters import is_altered
from claudegwd.translate.request.tool_schema import upstream_schema

# The prefix of the names that the model sees, from a CLI that does not know CLAUDE_AGENT_SDK_MCP_NO_PREFIX.
PREFIX = f"mcp__{TOOL_SERVER}__"

MAX_NAME = 128  # the Messages API's rule for names, and the CLI's: up to this many letters, digits, _ and -
_PLAIN = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_NAME}}}")
_ODD = re.compile(r"[^A-Za-z0-9_-]")
_MARK_CHARS = 8

# Larger results are not passed on by the CLI but replaced with a note and a file (seen on 2.1.330). They are sent by
# replay instead.
MAX_LIVE_RESULT_CHARS = 500_000

# Names that the CLI reserves: it drops tools with such names (seen on 2.1.330).
_KEPT_BACK = re.compile(r"ToolSearch|mcp__ide__.*")

# Without --bare the CLI passes on the whole description, with it only up to the first empty line (seen on 2.1.330). A
# line with a space on it does not count as empty.
_EMPTY_LINE = re.compile(r"\n(?=\n)")

EMPTY_SCHEMA: Mapping[str, Any] = {"type": "object", "properties": {}}


def cli_name(name: str) -> str:
    """The name under which the model sees a tool: the client's if the API accepts it, else always the same one."""
    kept_back = _KEPT_BACK.fullmatch(name)
    if _PLAIN.fullmatch(name) and not kept_back:
        return name
    mark = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK_CHARS]
    plain = _ODD.sub("_", name.replace("__", "_") if kept_back else name)
    return f"{plain[: MAX_NAME - _MARK_CHARS - 1]}_{mark}"


@dataclass(frozen=True, slots=True)
class ToolSet:
    """The tools of one request: `manifest` is what `initialize` declares; `names` maps model's names to client's.

    `declared` are the tools as the client sent them. `altered` lists, for the header x-claudegw-ignored, what the CLI
    passes on in other characters.
    """

    manifest: tuple[Mapping[str, Any], ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    declared: tuple[Tool, ...] = ()
    altered: tuple[str, ...] = ()

    def client_name(self, model_name: str) -> str | None:
        """The client's name of a tool that the model called; None if the client declared no such tool."""
        name = self.names.get(model_name)
        if name is None and model_name in self.own_names.values():
            return model_name
        return name if name is not None else self.names.get(model_name.removeprefix(PREFIX))

    @property
    def own_names(self) -> Mapping[str, str]:
        """The client's names that only the CLI rejects, by the names that it is told instead."""
        return {told: own for told, own in self.names.items() if told != own and _PLAIN.fullmatch(own)}


def tool_set(tools: Sequence[Tool]) -> ToolSet:
    """Declare each tool in full. Without `readOnlyHint`, parallel calls would reach us one by one.

    Raises InvalidRequest if two tools would have the same name.
    """
    manifest = []
    names: dict[str, str] = {}
    for index, tool in enumerate(tools):
        name = cli_name(tool.name)
        if name in names:
            raise InvalidRequest(
                "cannot distinguish this tool from another: give it a name of letters, digits, _ and -",
                param=f"tools[{index}].function.name",
            )
        names[name] = tool.name
        manifest.append(
            {
                "name": name,
                "description": _EMPTY_LINE.sub("\n ", tool.description or ""),
                "inputSchema": upstream_schema(tool.parameters),
                "annotations": {"readOnlyHint": True},
                "_meta": {"anthropic/maxResultSizeChars": MAX_LIVE_RESULT_CHARS, "anthropic/alwaysLoad": True},
            }
        )
    return ToolSet(tuple(manifest), names, tuple(tools), _altered(tools))


def _altered(tools: Sequence[Tool]) -> tuple[str, ...]:
    whole = canonical([[tool.description, tool.parameters] for tool in tools])
    if whole.isascii() and b"\\u" not in whole and b"__proto__" not in whole:
        return ()  # nearly always, and quick to check in one go
    names = []
    if any(is_altered(tool.description) for tool in tools):
        names.append("tools.description")
    if any(is_altered(tool.parameters) for tool in tools):
        names.append("tools.parameters")
    return tuple(names)


def tools_of_history(messages: Sequence[Message]) -> tuple[Tool, ...]:
    """A declaration of each tool that the history calls, for a request without tools.

    Agents drop their tools for a closing summary; the Messages API rejects calls and results if there are no tools.
    """
    names = dict.fromkeys(call.name for message in messages for call in message.tool_calls)
    return tuple(Tool(name, "A tool of an earlier part of this conversation.") for name in names)
