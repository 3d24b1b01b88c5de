"""What is right, to be made wrong: a body for each route, and the lines of one turn of the CLI."""

from __future__ import annotations

from typing import Any

_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "read.file",
        "description": "d",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": ["integer", "null"], "enum": [1, None]}},
            "required": ["a"],
            "additionalProperties": False,
            "$defs": {"x": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/x"}]}},
        },
    },
}
_PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="
_CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "developer", "content": [{"type": "text", "text": "d"}]},
        {"role": "user", "name": "u", "content": [
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": _PICTURE, "detail": "low"}},
            {"type": "file", "file": {"filename": "f.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        ]},
        {"role": "assistant", "content": None, "refusal": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "read.file", "arguments": '{"a": "x"}'}},
            {"id": "c2", "type": "function", "function": {"name": "read.file", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "r2"}]},
        {"role": "tool", "tool_call_id": "c1", "content": "r1"},
        {"role": "user", "content": "and?"},
    ],
    "tools": [_TOOL],
    "tool_choice": {"type": "function", "function": {"name": "read.file"}},
    "parallel_tool_calls": False,
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_completion_tokens": 100,
    "stop": ["a", "b"],
    "temperature": 1,
    "top_p": 0.5,
    "n": 2,
    "reasoning_effort": "low",
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": {
        "type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"], "additionalProperties": False,
    }}},
    "user": "u",
    "metadata": {"a": "b"},
    "session_id": "s",
    "project_id": "p",
    "system_prompt": "s",
    "seed": 1,
}  # fmt: skip
_LEGACY = {
    "model": "m",
    "messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "r"},
    ],
    "functions": [{"name": "f", "parameters": {"type": "object"}}],
    "function_call": {"name": "f"},
}
_RESPONSES: dict[str, Any] = {
    "model": "m",
    "instructions": "i",
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "d"}]},
        {"role": "user", "content": [
            {"type": "input_text", "text": "look"},
            {"type": "input_image", "image_url": _PICTURE, "detail": "low"},
            {"type": "input_file", "filename": "f.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
        ]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": None},
        {"type": "function_call", "call_id": "c1", "name": "read.file", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "p", "namespace": "s"},
        {"type": "local_shell_call", "call_id": "c3", "action": {"type": "exec", "command": ["ls"]}},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "r"}]},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "r"},
        {"type": "local_shell_call_output", "id": "c3", "output": "r"},
        {"type": "item_reference", "id": "msg_1"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
        {"role": "user", "content": "and?"},
    ],
    "tools": [
        {"type": "function", **_TOOL["function"]},
        {"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
        {"type": "namespace", "name": "s", "tools": [{"type": "custom", "name": "patch"}]},
        {"type": "web_search"},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "patch"}]},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "metadata": {"a": "b"},
    "stream": True,
    "store": True,
    "max_output_tokens": 50,
    "previous_response_id": None,
}  # fmt: skip
BODIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("chat", {"model": "m", "messages": [{"role": "user", "content": "q"}]}),
    ("chat", _CHAT),
    ("chat", {**_CHAT, "response_format": {"type": "json_object"}, "tool_choice": "required"}),
    ("chat", _LEGACY),
    ("completions", {"model": "m", "prompt": ["a", "b"], "echo": True, "n": 2, "max_tokens": 3, "stop": "x"}),
    ("responses", {"model": "m", "input": "q"}),
    ("responses", _RESPONSES),
    ("project", {"name": "n", "description": "d", "path": "/p"}),
    ("session", {"title": "t", "project_id": "p", "model": "m", "system_prompt": "s"}),
)

_USAGE = {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 4}


def _part(**event: Any) -> dict[str, Any]:
    return {"type": "stream_event", "event": event, "session_id": "s", "parent_tool_use_id": None}


LINES: tuple[dict[str, Any], ...] = (
    {"type": "system", "subtype": "init", "session_id": "s", "tools": [], "model": "m"},
    _part(type="message_start", message={"id": "m1", "model": "m", "usage": _USAGE}),
    _part(type="content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
    _part(type="content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hm"}),
    _part(type="content_block_delta", index=0, delta={"type": "signature_delta", "signature": "c2ln"}),
    _part(type="content_block_stop", index=0),
    _part(type="content_block_start", index=1, content_block={"type": "text", "text": ""}),
    _part(type="content_block_delta", index=1, delta={"type": "text_delta", "text": "Hello \ud83d\ude00"}),
    _part(type="content_block_stop", index=1),
    _part(type="content_block_start", index=2, content_block={"type": "tool_use", "id": "t", "name": "f", "input": {}}),
    _part(type="content_block_delta", index=2, delta={"type": "input_json_delta", "partial_json": '{"a":1}'}),
    _part(type="content_block_stop", index=2),
    _part(type="message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage=_USAGE),
    _part(type="message_stop"),
    {"type": "assistant", "message": {"content": []}, "error": "rate_limit", "is_api_error_message": True,
     "api_error_status": 429, "api_error_type": "rate_limit_error"},
    {"type": "control_response", "response": {"subtype": "success", "request_id": "r", "response": {}}},
    {"type": "control_request", "request_id": "r", "request": {"subtype": "mcp_message", "server_name": "gw",
     "message": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read", "arguments": {}}}}},
    {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "session_id": "s", "usage": _USAGE},
)  # fmt: skip
