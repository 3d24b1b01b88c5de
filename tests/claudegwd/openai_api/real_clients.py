"""Requests of real clients: what each was seen to send, cut down to the odd part of it."""

from typing import Any

HELLO = [{"role": "user", "content": "Hello"}]
SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {"a": {"type": "string"}},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": '{"path": "a"}'}}
READ_FILE = {"name": "read_file", "description": "Reads.", "parameters": SCHEMA}
TOOL: dict[str, Any] = {"type": "function", "function": READ_FILE}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "text of a"}

# fmt: off
REAL_CLIENTS: dict[str, dict[str, Any]] = {
    "openhands": {
        "messages": [
            {"role": "system",
             "content": [{"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}}]},
            {"role": "user", "content": [{"type": "text", "text": "Go."}]},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {**RESULT, "content": [{"type": "text", "text": "text of a"}], "name": "read_file"},
        ],
        "tools": [TOOL],
        "reasoning_effort": "high",
        "prompt_cache_key": "abc",
        "max_completion_tokens": 64000,
        "top_p": 1.0,
        "seed": None,
    },
    "mini-swe-agent": {
        "stream": False,
        "messages": [
            *HELLO,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [CALL],
                "function_call": None,
                "provider_specific_fields": {"refusal": None},
                "annotations": [],
                "refusal": None,
            },
            RESULT,
            {"role": "user", "content": "Go on."},
        ],
        "tools": [TOOL],
    },
    "opencode": {
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 32000,
        "messages": [{"role": "system", "content": "s"}, *HELLO, {"role": "assistant", "tool_calls": [CALL]}, RESULT],
        "tools": [TOOL],
        "tool_choice": "auto",
    },
    "qwen-code": {
        "stream": True,
        "temperature": 0,
        "top_p": 0.95,
        "frequency_penalty": 0,
        "presence_penalty": 0,
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "s"}]},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": ""}]},
            {"role": "assistant", "content": [{"type": "text", "text": "b"}], "tool_calls": [CALL],
             "reasoning_content": "hm"},
            {**RESULT, "content": [{"type": "text", "text": "c"}]},
        ],
    },
    "roo-code": {
        "messages": [
            *HELLO,
            {"role": "assistant", "content": "Reading.", "tool_calls": [CALL]},
            RESULT,
            {"role": "user", "content": [{"type": "text", "text": "<environment_details>"}]},
        ],
        "tools": [{**TOOL, "function": {**TOOL["function"], "strict": True}}],
        "parallel_tool_calls": False,
    },
    "gptme": {"messages": [{"role": "system", "content": "a"},
                           {"role": "system", "content": [{"type": "text", "text": "b"}]}, *HELLO]},
    "pi": {"messages": [{"role": "developer", "content": "s"}, *HELLO], "store": False, "max_completion_tokens": 100},
    "autogen": {"messages": [*HELLO, {"role": "assistant", "content": None, "tool_calls": [CALL]}, RESULT]},
    "semantic-kernel": {"tools": [{**TOOL,
                                   "function": {"name": "my-plugin-read_file", "parameters": {}, "strict": False}}]},
    "smolagents": {
        "stop": ["Observation:", "Calling tools:"],
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "s"}]},
            {"role": "user", "content": [{"type": "text", "text": "u"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "a"}]},
            {"role": "user", "content": [{"type": "text", "text": "Observation: x"}]},
        ],
    },
    "copilot": {"n": 1, "stream": True, "max_tokens": 4096, "top_p": 1, "temperature": 0, "include": [], "tools": []},
    "cursor": {"tools": [{"type": "function", "name": "read_file", "parameters": SCHEMA, "strict": None}], "user": "u"},
    "open-webui": {"stream": False, "max_completion_tokens": 1000, "metadata": {"task": "title_generation"}},
    "langchain": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "Answer", "schema": SCHEMA, "strict": True}},
        "tools": [{**TOOL, "function": {**TOOL["function"], "strict": None}}],
    },
    "aider": {"stream": True, "temperature": 0, "messages": [*HELLO, {"role": "assistant", "content": "Ok."}, *HELLO]},
}
# fmt: on
