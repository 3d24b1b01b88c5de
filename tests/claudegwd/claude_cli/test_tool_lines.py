from __future__ import annotations

import json
from typing import Any

import pytest

from claudegwd.claude_cli.tool_lines import ToolAsked, ToolCalled, ToolReturned, tool_lines

USE = {"type": "tool_use", "id": "t", "name": "Read", "input": {"file_path": "a"}}
RETURN: dict[str, Any] = {"type": "tool_result", "tool_use_id": "t", "content": "x"}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            {"type": "control_request", "request_id": "r", "request": {"subtype": "can_use_tool", "tool_name": "Bash",
             "input": {"command": "ls"}, "new": 1}},
            [ToolAsked("r", "Bash", {"command": "ls"})],
        ),
        ({"type": "control_request", "request_id": "r", "request": {"subtype": "mcp_message"}}, []),
        ({"type": "assistant", "message": {"content": [{"type": "text", "text": "x"}, USE]}},
         [ToolCalled("t", "Read", {"file_path": "a"})]),
        ({"type": "user", "message": {"content": [RETURN]}}, [ToolReturned("t", failed=False, text="x")]),
        (
            {"type": "user", "message": {"content": [{**RETURN, "is_error": True, "content": [{"text": "a"}, {}]}]}},
            [ToolReturned("t", failed=True, text="a")],
        ),
        ({"type": "user", "message": {"content": "words"}}, []),
        ({"type": "result"}, []),
        ({"type": "user", "message": 5}, []),
    ],
)  # fmt: skip
def test_lines(line: dict[str, Any], found: list[Any]) -> None:
    assert tool_lines(json.dumps(line).encode()) == found


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"\xff", b"[" * 10_000])
def test_what_is_no_line(line: bytes) -> None:
    assert tool_lines(line) == []
