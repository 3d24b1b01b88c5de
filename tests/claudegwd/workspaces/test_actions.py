from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as made
from hypothesis import strategies as st

from claudegwd.workspaces.actions import MAX_LINE_CHARACTERS, in_full, outcome, shown


@pytest.mark.parametrize(
    ("tool", "given", "line"),
    [
        ("Read", {"file_path": "/w/src/a.py"}, "Read src/a.py"),
        ("Read", {"file_path": "/etc/passwd"}, "Read /etc/passwd"),
        ("Write", {"file_path": "/w/a", "content": "SECRET"}, "Write a"),
        ("Edit", {"file_path": "a", "old_string": "SECRET", "new_string": "SECRET"}, "Edit a"),
        ("Bash", {"command": "pytest -q", "description": "x"}, "Bash: pytest -q"),
        ("Bash", {"command": "a\nb\x1b[31m"}, "Bash: a b [31m"),
        ("Grep", {"pattern": "x y", "path": "/w/src"}, "Grep x y in src"),
        ("Glob", {"pattern": "*.py", "path": "/w"}, "Glob *.py"),
        ("WebFetch", {"url": "https://example.org/", "prompt": "SECRET"}, "WebFetch https://example.org/"),
        ("mcp__git__log", {"any": "SECRET"}, "mcp__git__log"),
        ("Read", {"file_path": 5}, "Read"),
    ],
)
def test_an_action_is_one_line_without_content(tool: str, given: dict[str, Any], line: str) -> None:
    assert shown(tool, given, "/w") == line


def test_a_long_line_is_cut() -> None:
    assert len(shown("Bash", {"command": "x" * 1000})) == MAX_LINE_CHARACTERS


@pytest.mark.parametrize(
    ("tool", "failed", "text", "said"),
    [
        ("Bash", False, "fine", " -> exit 0"),
        ("Bash", True, "Exit code 1\nno", " -> exit 1"),
        ("Bash", True, "timed out", " -> exit unknown"),
        ("Bash", True, "Exit code 1\nF\n3 failed, 1 passed in 0.1s", " -> exit 1, 3 failed, 1 passed"),
        ("Bash", False, "12 passed in 0.1s", " -> exit 0, 12 passed"),
        ("Bash", False, "Exit code 5", " -> exit 0"),
        ("Read", False, "SECRET", ""),
        ("Read", True, "SECRET", " -> failed"),
    ],
)
def test_what_came_of_it(tool: str, *, failed: bool, text: str, said: str) -> None:
    assert outcome(tool, failed=failed, text=text) == said


@pytest.mark.parametrize(
    ("tool", "given", "lines"),
    [
        ("Bash", {"command": "touch one", "description": "Harmless"}, "Bash: touch one"),
        ("Bash", {"command": "a\nBash: b", "timeout": 5}, "Bash: a\n  Bash: b\ntimeout: 5"),
        ("Bash", {"command": "rm \x1b[2K\u202ex\r\ty⟨"}, "Bash: rm ⟨U+001B⟩[2K⟨U+202E⟩x⟨U+000D⟩⟨U+0009⟩y⟨U+27E8⟩"),
        ("Bash", {"command": "rm \u3164x\ufe0fy\u2800\U000e0100"}, "Bash: rm ⟨U+3164⟩x⟨U+FE0F⟩y⟨U+2800⟩⟨U+E0100⟩"),
        ("Write", {"file_path": "/w/a", "content": "one\ntwo"}, "Write a\ncontent: one\n  two"),
        ("WebFetch", {"url": "https://a.example/", "prompt": "x"}, "WebFetch https://a.example/\nprompt: x"),
        ("mcp__a__b", {"to": "x", "n": [1, "\x07"]}, 'mcp__a__b\nto: x\nn: [1, "\\u0007"]'),
        ("mcp__a__b", {"a\nb": "x"}, "mcp__a__b\na⟨U+000A⟩b: x"),
        ("Read", {"file_path": 5}, "Read\nfile_path: 5"),
        ("mcp__a\nBash: b\x1b", {"n": 1}, "mcp__a⟨U+000A⟩Bash: b⟨U+001B⟩\nn: 1"),
    ],
)
def test_a_person_sees_all_of_it(tool: str, given: dict[str, Any], lines: str) -> None:
    assert in_full(tool, given, "/w") == lines


@made(st.text(), st.text())
def test_two_commands_never_look_alike(one: str, other: str) -> None:
    seen = [in_full("Bash", {"command": each}) for each in (one, other)]
    assert (seen[0] == seen[1]) is (one == other)
    assert all(char.isprintable() or char == "\n" for char in seen[0])
