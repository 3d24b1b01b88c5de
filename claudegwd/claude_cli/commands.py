"""Commands to the CLI as lines, each ending in a newline. Observed on CLI 2.1.330 (docs/claude-cli-notes.md)."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode
LONE_SURROGATE = re.compile("[\ud800-\udfff]")

# The MCP protocol version that CLI 2.1.330 asks for. The CLI ignores a manifest of another version and does the
# handshake in control requests, which the worker answers too, so a newer CLI only costs a round trip.
MCP_PROTOCOL_VERSION = "2025-11-25"

Content = str | Sequence[Mapping[str, Any]]


def encode(value: object) -> bytes:
    """JSON for the upstream. A lone surrogate, which models do write and UTF-8 cannot encode, becomes U+FFFD: if it
    were escaped, the upstream would reject the request as invalid JSON."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(value), ensure_ascii=False, separators=(",", ":"))
        return LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text).encode()


def _line(value: object) -> bytes:
    return encode(value) + b"\n"


def _control(request_id: str, request: Mapping[str, Any]) -> bytes:
    return _line({"type": "control_request", "request_id": request_id, "request": request})


def initialize(
    request_id: str,
    *,
    system: str,
    server: str | None = None,
    tools: Sequence[Mapping[str, Any]] = (),
    appended: bool = False,
) -> bytes:
    """Set system prompt and tools; possible once per process. `system` "" is none; without it, the CLI adds its own.

    `appended`: the CLI's own prompt precedes it.
    """
    request: dict[str, Any] = {"subtype": "initialize", "systemPrompt": [system], "systemPromptSnapshot": False}
    if appended:
        request = {"subtype": "initialize", **({"appendSystemPrompt": system} if system else {})}
    if server is not None:
        request["sdkMcpServers"] = [server]
        manifest = {"initializeResult": mcp_initialize_result(server), "toolsListResult": {"tools": list(tools)}}
        request["sdkMcpServerManifests"] = {server: manifest}
    return _control(request_id, request)


def mcp_initialize_result(server: str, version: str = MCP_PROTOCOL_VERSION) -> dict[str, Any]:
    """The MCP server's response to `initialize`, for the manifest and for the live handshake."""
    return {
        "protocolVersion": version,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": server, "version": "1"},
    }


def binary_version(request_id: str) -> bytes:
    """Ask for the CLI's version: answered even before `initialize`, so the answer shows that the process is ready."""
    return _control(request_id, {"subtype": "get_binary_version"})


def settings(request_id: str, values: Mapping[str, Any]) -> bytes:
    """Change settings in the live process: `model`, `effortLevel`, `env` (merged and sticky; "" unsets a variable)."""
    return _control(request_id, {"subtype": "apply_flag_settings", "settings": values})


def thinking_tokens(request_id: str, tokens: int | None) -> bytes:
    """Set the thinking budget: 0 turns thinking off if the model allows it, None resets."""
    return _control(request_id, {"subtype": "set_max_thinking_tokens", "max_thinking_tokens": tokens})


def side_question(request_id: str, question: str) -> bytes:
    """Ask outside the conversation, which does not see it. The answer is text, even for an upstream failure."""
    return _control(request_id, {"subtype": "side_question", "question": question})


def interrupt(request_id: str) -> bytes:
    """End the running turn."""
    return _control(request_id, {"subtype": "interrupt"})


def rewind(request_id: str, *, target: str, last: str) -> bytes:
    """Cut the transcript before the user message with the uuid `target`; nothing after it remains.

    `last`: the uuid of the last user message that we wrote. Tool results do not count, nor do the CLI's own messages
    (observed). Answered within milliseconds by `rewound`, false while a turn is running or for an unknown uuid.
    """
    return _control(
        request_id,
        {"subtype": "rewind_conversation", "target_message_uuid": target, "last_seen_user_message_uuid": last},
    )


def ask(content: Content, uuid: str | None = None) -> bytes:
    """A user message that asks. Empty content asks again with the transcript as it is.

    `uuid`: for `rewind` to find it.
    """
    return _line(_user(content, uuid))


def append_user(content: Content, uuid: str | None = None) -> bytes:
    """A user message appended without asking; the CLI acknowledges it with a `result` with no turns."""
    return _line({**_user(content, uuid), "shouldQuery": False})


def append_assistant(blocks: Sequence[Mapping[str, Any]], *, model: str = "", ident: str = "") -> bytes:
    """An assistant message appended to the transcript. It takes effect at once and is not acknowledged.

    Thinking blocks are only accepted in a message with the name of the model that wrote them and an id of its own
    (observed: otherwise the CLI silently drops them).
    """
    message: dict[str, Any] = {"role": "assistant", "content": list(blocks)}
    if model:
        message |= {"type": "message", "id": ident, "model": model}
    return _line({"type": "assistant", "message": message, "parent_tool_use_id": None, "session_id": ""})


def clear() -> bytes:
    """The CLI's own /clear: a new session in the same process. The only user line that is not a client's text."""
    return _line(
        {"type": "user", "message": {"role": "user", "content": "/clear"}, "parent_tool_use_id": None, "session_id": ""}
    )


def mcp_answer(request_id: str, message: Mapping[str, Any]) -> bytes:
    """Answer a control request `mcp_message` with a JSON-RPC message."""
    return _success(request_id, {"mcp_response": message})


def allow_tool(request_id: str, given: Mapping[str, Any]) -> bytes:
    """Answer a control request `can_use_tool`: the tool runs with this input."""
    return _success(request_id, {"behavior": "allow", "updatedInput": given})


def deny_tool(request_id: str, reason: str) -> bytes:
    """Answer a control request `can_use_tool`: the model is told the reason, and continues."""
    return _success(request_id, {"behavior": "deny", "message": reason})


def refuse(request_id: str, reason: str) -> bytes:
    """Answer a control request that we do not support, so that the CLI does not wait."""
    response = {"subtype": "error", "request_id": request_id, "error": reason}
    return _line({"type": "control_response", "response": response})


def _success(request_id: str, response: Mapping[str, Any]) -> bytes:
    body = {"subtype": "success", "request_id": request_id, "response": response}
    return _line({"type": "control_response", "response": body})


def _user(content: Content, uuid: str | None = None) -> dict[str, Any]:
    # client_composed: without it the CLI replaces @path with the file's content and runs /commands (observed, in every
    # mode), and any client could read the files of this machine.
    line = {
        "type": "user",
        "message": {"role": "user", "content": content if isinstance(content, str) else list(content)},
        "parent_tool_use_id": None,
        "session_id": "",
        "client_composed": True,
    }
    return line if uuid is None else {**line, "uuid": uuid}
