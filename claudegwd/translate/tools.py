"""The client's tools as the CLI's MCP tools, and their names there and back."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from claudegwd.claude_cli.launch import TOOL_SERVER
from claudegwd.openai_api.chat_request import Tool

PREFIX = f"mcp__{TOOL_SERVER}__"

# The Messages API takes names of up to 128 such characters, our prefix included.
MAX_NAME = 128 - len(PREFIX)
_PLAIN = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_NAME}}}")
_ODD = re.compile(r"[^A-Za-z0-9_-]")

# What the CLI replaces by a note and a file instead of passing on (seen on 2.1.330). Larger results go by replay.
MAX_LIVE_RESULT_CHARS = 500_000

_EMPTY_SCHEMA: Mapping[str, Any] = {"type": "object", "properties": {}}


def cli_name(name: str) -> str:
    """The name under which a tool goes to the CLI's server: itself where the CLI and the API take it."""
    # A double underscore is the CLI's own separator: a name that holds one could be read as another server's.
    if _PLAIN.fullmatch(name) and "__" not in name:
        return name
    mark = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_ODD.sub('_', name).replace('__', '_')[: MAX_NAME - 9]}_{mark}".replace("__", "_")


@dataclass(frozen=True, slots=True)
class ToolSet:
    """The tools of one request: `manifest` is what `initialize` declares; `names` maps model's names to client's."""

    manifest: tuple[Mapping[str, Any], ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    def client_name(self, model_name: str) -> str | None:
        """The client's name of a tool that the model called, or None if the client declared no such tool."""
        return self.names.get(model_name)


def tool_set(tools: Sequence[Tool]) -> ToolSet:
    """Declare each tool whole. Without `readOnlyHint` parallel calls would reach us one by one."""
    manifest = []
    names = {}
    for tool in tools:
        name = cli_name(tool.name)
        names[PREFIX + name] = tool.name
        manifest.append(
            {
                "name": name,
                "description": tool.description or "",
                "inputSchema": _schema(tool),
                "annotations": {"readOnlyHint": True},
                "_meta": {"anthropic/maxResultSizeChars": MAX_LIVE_RESULT_CHARS, "anthropic/alwaysLoad": True},
            }
        )
    return ToolSet(tuple(manifest), names)


def _schema(tool: Tool) -> Mapping[str, Any]:
    schema = tool.parameters or {}
    # MCP takes object schemas only; OpenAI's clients leave `type` out for tools without parameters.
    return {**_EMPTY_SCHEMA, **schema} if schema.get("type", "object") == "object" else _EMPTY_SCHEMA
