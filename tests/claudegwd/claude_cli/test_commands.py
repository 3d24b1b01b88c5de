"""Every command, as the line that the CLI reads."""

import json
from typing import Any

import pytest

from claudegwd.claude_cli import commands

USER = {"type": "user", "parent_tool_use_id": None, "session_id": "", "client_composed": True}
TOOL = {"name": "read", "description": "d", "inputSchema": {"type": "object"}}
TEXT = {"type": "text", "text": "hi"}


def control(request: dict[str, Any]) -> dict[str, Any]:
    return {"type": "control_request", "request_id": "gw1", "request": request}


def response(body: dict[str, Any]) -> dict[str, Any]:
    return {"type": "control_response", "response": {"request_id": "gw1", **body}}


def assistant(message: dict[str, Any]) -> dict[str, Any]:
    return {"type": "assistant", "message": message, "parent_tool_use_id": None, "session_id": ""}


SERVER = {
    "protocolVersion": commands.MCP_PROTOCOL_VERSION,
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "gw", "version": "1"},
}
LINES = [
    (
        commands.initialize("gw1", system=""),
        control({"subtype": "initialize", "systemPrompt": [""], "systemPromptSnapshot": False}),
    ),
    (
        commands.initialize("gw1", system="Be nice", server="gw", tools=[TOOL]),
        control(
            {
                "subtype": "initialize",
                "systemPrompt": ["Be nice"],
                "systemPromptSnapshot": False,
                "sdkMcpServers": ["gw"],
                "sdkMcpServerManifests": {
                    "gw": {"initializeResult": SERVER, "toolsListResult": {"tools": [TOOL]}},
                },
            }
        ),
    ),
    (commands.binary_version("gw1"), control({"subtype": "get_binary_version"})),
    (
        commands.settings("gw1", {"model": "m", "effortLevel": None, "env": {"A": ""}}),
        control({"subtype": "apply_flag_settings", "settings": {"model": "m", "effortLevel": None, "env": {"A": ""}}}),
    ),
    (commands.thinking_tokens("gw1", 0), control({"subtype": "set_max_thinking_tokens", "max_thinking_tokens": 0})),
    (
        commands.thinking_tokens("gw1", None),
        control({"subtype": "set_max_thinking_tokens", "max_thinking_tokens": None}),
    ),
    (commands.interrupt("gw1"), control({"subtype": "interrupt"})),
    (commands.ask("/clear @/etc/passwd"), {**USER, "message": {"role": "user", "content": "/clear @/etc/passwd"}}),
    (commands.ask([TEXT]), {**USER, "message": {"role": "user", "content": [TEXT]}}),
    (commands.ask([]), {**USER, "message": {"role": "user", "content": []}}),
    (
        commands.append_user([TEXT]),
        {**USER, "message": {"role": "user", "content": [TEXT]}, "shouldQuery": False},
    ),
    (commands.append_assistant((TEXT,)), assistant({"role": "assistant", "content": [TEXT]})),
    (
        commands.append_assistant((TEXT,), model="claude-x", ident="msg_1"),
        assistant({"role": "assistant", "content": [TEXT], "type": "message", "id": "msg_1", "model": "claude-x"}),
    ),
    (
        commands.clear(),
        {
            "type": "user",
            "message": {"role": "user", "content": "/clear"},
            "parent_tool_use_id": None,
            "session_id": "",
        },
    ),
    (
        commands.mcp_answer("gw1", {"jsonrpc": "2.0", "id": 0, "result": {}}),
        response({"subtype": "success", "response": {"mcp_response": {"jsonrpc": "2.0", "id": 0, "result": {}}}}),
    ),
    (commands.refuse("gw1", "not served"), response({"subtype": "error", "error": "not served"})),
]


@pytest.mark.parametrize(("line", "value"), LINES)
def test_lines(line: bytes, value: dict[str, Any]) -> None:
    assert json.loads(line) == value
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1


def test_no_text_breaks_a_line() -> None:
    text = "one\ntwo\r\u2028\u0085\0\x1b é \N{GRINNING FACE}"
    line = commands.ask(text)
    assert line.count(b"\n") == 1
    assert json.loads(line)["message"]["content"] == text


def test_every_message_of_a_client_is_composed_by_it() -> None:
    # Without the mark the CLI would read files for @path and run /commands.
    for line in (commands.ask("x"), commands.ask([]), commands.append_user("x"), commands.append_user([TEXT])):
        assert json.loads(line)["client_composed"] is True


def test_the_servers_answer_takes_the_version_that_is_asked_for() -> None:
    assert commands.mcp_initialize_result("gw", "2024-11-05")["protocolVersion"] == "2024-11-05"


def test_half_of_a_character_is_replaced_as_the_upstream_takes_no_such_escape() -> None:
    line = commands.ask([{"type": "text", "text": "a \ud83d b 😀 é"}])
    assert json.loads(line)["message"]["content"][0]["text"] == "a \N{REPLACEMENT CHARACTER} b 😀 é"
