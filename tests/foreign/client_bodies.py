"""One request of each client that people point at a gateway, as it was seen to send it, made small.

What is odd in them is meant: part lists in every role, fields that nobody documents, questions behind results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.foreign.judged import MODEL

Message = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """A client's request; the text that the small model answers, or the tool that it calls; what the header names."""

    body: Mapping[str, Any]
    text: str | None = None
    call: str | None = None
    ignored: str | None = None


def text(content: str, **more: Any) -> list[Message]:
    return [{"type": "text", "text": content, **more}]


def tool(name: str, *required: str, **more: Any) -> Message:
    """A function with string parameters; `more` goes beside its name."""
    parameters = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {each: {"type": "string", "description": f"The {each}."} for each in required},
        "required": list(required),
        "additionalProperties": False,
    }
    return {
        "type": "function",
        "function": {"name": name, "description": f"Does {name}.", "parameters": parameters, **more},
    }


def called(name: str, ident: str = "call_1", arguments: str = '{"command": "ls"}') -> Message:
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


STREAMED = {"model": MODEL, "stream": True, "stream_options": {"include_usage": True}}
PLAIN = {"model": MODEL, "stream": False}

OPENCODE_MAIN = {
    **STREAMED,
    "max_tokens": 32000,
    "top_p": 0.95,
    "messages": [
        {"role": "system", "content": "You are opencode, an interactive CLI tool. " + "Be concise. " * 500},
        {"role": "user", "content": text("use bash, please")},
    ],
    "tools": [tool("edit", "filePath", "oldString", "newString"), tool("bash", "command"), tool("todowrite", "todos")],
    "tool_choice": "auto",
}
OPENCODE_TITLE = {
    **STREAMED,
    "max_tokens": 20,
    "messages": [
        {"role": "system", "content": "You are a title generator. You output ONLY a thread title."},
        {"role": "user", "content": "Generate a title for this conversation:\n"},
        {"role": "user", "content": "Listing files"},
    ],
}

CLIENTS: Mapping[str, Seen] = {
    "Cline": Seen(
        {
            **STREAMED,
            "temperature": 0,
            "messages": [
                {"role": "system", "content": "You are Cline, a highly skilled software engineer."},
                {"role": "user", "content": [*text("<task>\nread it\n</task>"), *text("# environment_details")]},
                {"role": "assistant", "content": "<read_file><path>a</path></read_file>"},
                {"role": "user", "content": [*text("[read_file for 'a'] Result:"), *text("hello")]},
            ],
        },
        text="[read_file for 'a'] Result:hello",
    ),
    "Roo Code": Seen(
        {
            **STREAMED,
            "temperature": 0,
            "messages": [
                {"role": "system", "content": "You are Roo."},
                {"role": "user", "content": text("list it")},
                {"role": "assistant", "content": "I list it.", "tool_calls": [called("execute_command")]},
                {"role": "tool", "tool_call_id": "call_1", "content": "a.py"},
                {"role": "user", "content": text("<environment_details>open tabs</environment_details>")},
            ],
            "tools": [
                tool("execute_command", "command", strict=True),
                tool("attempt_completion", "result", strict=True),
            ],
            "tool_choice": "auto",
            "parallel_tool_calls": False,
        },
        text="The result is a.py.",
        ignored="tools.strict",
    ),
    "Continue": Seen(
        {
            **STREAMED,
            "max_tokens": 4096,
            "messages": [
                {"role": "system", "content": "<important_rules>"},
                {"role": "user", "content": "read_file a.py"},
            ],
            "tools": [tool("read_file", "filepath"), tool("ls", "dirPath")],
        },
        call="read_file",
    ),
    "Qwen Code": Seen(
        {
            **STREAMED,
            "max_tokens": 8192,
            "metadata": {"sessionId": "s", "promptId": "p########0"},
            "messages": [
                {"role": "system", "content": text("You are Qwen Code.")},
                {"role": "user", "content": text("list it")},
                {"role": "assistant", "content": "", "tool_calls": [called("run_shell_command")]},
                {"role": "tool", "tool_call_id": "call_1", "content": text("a.py")},
            ],
            "tools": [tool("run_shell_command", "command")],
        },
        text="The result is a.py.",
        ignored="metadata",
    ),
    "pi": Seen(
        {
            **STREAMED,
            "store": False,
            "max_completion_tokens": 32000,
            "messages": [
                {"role": "developer", "content": "You are an expert coding assistant."},
                {"role": "user", "content": text("use bash")},
            ],
            "tools": [tool("read", "path", strict=False), tool("bash", "command", strict=False)],
        },
        call="bash",
    ),
    "Copilot CLI": Seen(
        {
            **STREAMED,
            "max_tokens": 16000,
            "temperature": 0,
            "n": 1,
            "snippy": {"enabled": False},
            "messages": [
                {"role": "system", "content": "You are the GitHub Copilot CLI."},
                {"role": "user", "content": "<current_datetime>now</current_datetime>\n\nuse view"},
            ],
            "tools": [tool("bash", "command"), tool("view", "path")],
            "tool_choice": "auto",
        },
        call="view",
        ignored="snippy",
    ),
    "gptme": Seen(
        {
            **STREAMED,
            "temperature": 0,
            "top_p": 0.1,
            "messages": [
                {"role": "system", "content": text("You are gptme.")},
                {"role": "system", "content": text("# Workspace")},
                {"role": "user", "content": text("run ls")},
                {"role": "assistant", "content": text("Running."), "tool_calls": [called("shell")]},
                {"role": "tool", "content": text("a.py"), "tool_call_id": "call_1"},
                {"role": "system", "content": text("Budget: 5 left")},
            ],
            "tools": [tool("shell", "command", strict=None)],
        },
        text="The result is a.py.",
        ignored="top_p",  # the model's API takes one of the two
    ),
    "mini-swe-agent": Seen(
        {
            "model": MODEL,
            "messages": [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": "fix it"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [called("bash")],
                    "function_call": None,
                    "provider_specific_fields": {"refusal": None},
                    "annotations": [],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "<returncode>0</returncode>"},
                {"role": "user", "content": "Go on."},
            ],
            "tools": [tool("bash", "command")],
            "parallel_tool_calls": True,
        },
        text="The result is <returncode>0</returncode>.",
    ),
    "OpenHands": Seen(
        {
            "model": MODEL,
            "reasoning_effort": "high",
            "prompt_cache_key": "conversation-1",
            "max_completion_tokens": 64000,
            "seed": 1,
            "messages": [
                {"role": "system", "content": text("You are OpenHands.", cache_control={"type": "ephemeral"})},
                {"role": "user", "content": text("list it")},
                {"role": "assistant", "content": text("I will."), "tool_calls": [called("terminal")]},
                {
                    "role": "tool",
                    "content": text("a.py", cache_control={"type": "ephemeral"}),
                    "tool_call_id": "call_1",
                    "name": "terminal",
                },
            ],
            "tools": [tool("terminal", "command", strict=False), tool("finish", "message", strict=False)],
        },
        text="The result is a.py.",
        ignored="seed, messages.cache_control",
    ),
    "aider": Seen(
        {
            **STREAMED,
            "temperature": 0,
            "messages": [
                {"role": "system", "content": "Act as an expert software developer."},
                {"role": "user", "content": "I have *added these files to the chat*"},
                {"role": "assistant", "content": "Ok, any changes I propose will be to those files."},
                {"role": "user", "content": "say hello\n\n# *SEARCH/REPLACE block* Rules"},
            ],
        },
        text="say hello\n\n# *SEARCH/REPLACE block* Rules",
    ),
    "Open WebUI, the title": Seen(
        {
            **PLAIN,
            "max_completion_tokens": 1000,
            "messages": [{"role": "user", "content": "### Task:\nGenerate a title as JSON: { 'title': … }"}],
        },
        text='{"title": "something funny"}',
    ),
    "autogen": Seen(
        {
            **PLAIN,
            "messages": [
                {"role": "system", "content": "Reflect on it.", "name": "system"},
                {"role": "user", "content": "weather?", "name": "user"},
                {"role": "assistant", "content": None, "tool_calls": [called("get_weather")], "name": "assistant"},
                {"role": "tool", "content": "73 degrees", "tool_call_id": "call_1"},
            ],
        },
        text="The result is 73 degrees.",
        ignored="messages.name",
    ),
    "smolagents": Seen(
        {
            "model": MODEL,
            "stop": ["Observation:", "Calling tools:"],
            "messages": [
                {"role": "system", "content": text("You are an expert assistant.")},
                {"role": "user", "content": text("New task:\nthink aloud")},
                {"role": "assistant", "content": text("Thought: hm")},
                {"role": "user", "content": text("Thought: done.\nObservation: made up")},
            ],
        },
        text="Thought: done.\n",
    ),
    "semantic-kernel": Seen(
        {
            **PLAIN,
            "n": 1,
            "frequency_penalty": 0.0,
            "presence_penalty": 0.0,
            "messages": [{"role": "user", "content": "ask Weather-get_weather"}],
            "tools": [tool("Lights-turn_on", "room"), tool("Weather-get_weather", "city")],
            "tool_choice": "auto",
        },
        call="Weather-get_weather",
    ),
}
