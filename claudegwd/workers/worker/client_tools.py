"""The MCP server inside the worker that represents the client's tools. Pure.

Calls come from the CLI, results from the client, and either may come first: a result for a call that the CLI has not
made yet is kept until it does (the calls of one message arrive one by one, and the client may be fast).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from claudegwd.claude_cli import commands
from claudegwd.claude_cli import events as e
from claudegwd.claude_cli.launch import TOOL_SERVER
from claudegwd.translate.request.history import ToolResult, call_id

_REFUSAL = "this host does not serve such requests"


class ClientTools:
    """Each method returns the lines to write to the CLI. `manifest` is what `initialize` declared."""

    def __init__(self) -> None:
        self.manifest: Sequence[Mapping[str, Any]] = ()
        self._calls: dict[str, e.CliRequest] = {}  # open calls, by the id of the model's call
        self._results: dict[str, ToolResult] = {}  # early results, by the same id

    def take(self, event: e.CliRequest) -> bytes:
        """A control request from the CLI: a tool call, the handshake if it did not take a manifest, or another."""
        message = event.request.message
        if event.request.subtype != "mcp_message" or message is None:
            return commands.refuse(event.request_id, _REFUSAL)
        params = _object(message.get("params"))
        match message.get("method"):
            case "tools/call":
                # As the history names it: results come back under that name.
                ident = call_id(str(_object(params.get("_meta")).get("claudecode/toolUseId", "")))
                self._calls[ident] = event
                return self._answers()
            case "initialize":
                version = str(params.get("protocolVersion", commands.MCP_PROTOCOL_VERSION))
                return _answer(event, commands.mcp_initialize_result(TOOL_SERVER, version))
            case "tools/list":
                return _answer(event, {"tools": list(self.manifest)})
        return _answer(event, {})

    def give(self, results: Sequence[ToolResult]) -> bytes:
        """Results from the client."""
        self._results.update((result.call_id, result) for result in results)
        return self._answers()

    def _answers(self) -> bytes:
        both = [ident for ident in self._calls if ident in self._results]
        return b"".join(_result(self._calls.pop(ident), self._results.pop(ident)) for ident in both)


def _object(value: Any) -> Mapping[str, Any]:
    """In a workspace, others can write in the CLI's name: {} for anything else."""
    return value if isinstance(value, dict) else {}


def _result(event: e.CliRequest, result: ToolResult) -> bytes:
    content = [_mcp_block(block) for block in result.blocks]
    return _answer(event, {"content": content, "isError": result.is_error})


def _answer(event: e.CliRequest, result: Mapping[str, Any]) -> bytes:
    ident = (event.request.message or {}).get("id", 0)
    return commands.mcp_answer(event.request_id, {"jsonrpc": "2.0", "id": ident, "result": result})


def _mcp_block(block: Mapping[str, Any]) -> dict[str, Any]:
    """A content block of the Messages API, in MCP's form."""
    if block["type"] == "image":
        source = block["source"]
        return {"type": "image", "data": source["data"], "mimeType": source["media_type"]}
    return {"type": "text", "text": block.get("text", "")}
