"""Claude's actions in a workspace, one line each, without the contents of files or answers."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from claudegwd.workspaces.tallies import tally

# A line that can be read at a glance; the approval shows the whole command.
MAX_LINE_CHARACTERS: Final = 200

_BRACKETS: Final = "⟨⟩"
# Invisible, although Python counts them as printable: fillers, joiners, and selectors of variants.
_UNSEEN: Final = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_EXIT: Final = re.compile(r"Exit code (\d{1,3})\b")
_FIELDS: Final = {
    "Read": "file_path", "Edit": "file_path", "Write": "file_path", "NotebookEdit": "notebook_path", "Glob": "pattern",
    "Grep": "pattern", "Bash": "command", "WebFetch": "url", "WebSearch": "query",
}  # fmt: skip


def shown(tool: str, given: Mapping[str, Any], directory: str = "", *, characters: int = MAX_LINE_CHARACTERS) -> str:
    """A call, such as `Read src/a.py` or `Bash: pytest -q`. Paths are relative to the directory."""
    value = given.get(_FIELDS.get(tool, ""))
    text = value if isinstance(value, str) else ""
    if directory and text.startswith(f"{directory}/"):
        text = text[len(directory) + 1 :]
    line = f"{tool}: {text}" if tool == "Bash" else f"{tool} {text}".rstrip()
    where = given.get("path")
    if tool in ("Grep", "Glob") and isinstance(where, str) and where != directory:
        line += f" in {where.removeprefix(f'{directory}/')}"
    return one_line(line, characters)


def in_full(tool: str, given: Mapping[str, Any], directory: str = "") -> str:
    """A call in full, for the person who approves it. Except for newlines, any character that is invisible or moves
    text is spelled out: ⟨U+001B⟩."""
    field = _FIELDS.get(tool, "")
    main = given.get(field)
    # Whoever runs beside the CLI can ask in its name, for a tool of any name.
    head = f"{tool}:" if tool == "Bash" else _visible(tool, new_lines=False)
    lines = [head]
    if isinstance(main, str):
        lines = [f"{head} {_indented(main.removeprefix(f'{directory}/') if directory else main)}"]
    for name, value in given.items():
        # Bash's description may not match what the command does.
        if (name == field and isinstance(value, str)) or (tool, name) == ("Bash", "description"):
            continue
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines.append(f"{_visible(name, new_lines=False)}: {_indented(text)}")
    return "\n".join(lines)


def _indented(text: str) -> str:
    """Indent it, so that no line of it looks like one of ours."""
    return _visible(text, new_lines=True).replace("\n", "\n  ")


def _visible(text: str, *, new_lines: bool) -> str:
    return "".join(
        char
        if (char.isprintable() and char not in _BRACKETS and not _UNSEEN.match(char)) or (char == "\n" and new_lines)
        else f"⟨U+{ord(char):04X}⟩"
        for char in text
    )


def outcome(tool: str, *, failed: bool, text: str) -> str:
    """The outcome, to append to the line; "" if there is nothing to say."""
    found = _EXIT.match(text) if failed else None
    if tool == "Bash":
        counts = tally(text)
        return f" -> exit {found[1] if found else 0 if not failed else 'unknown'}" + (f", {counts}" if counts else "")
    return " -> failed" if failed else ""


def one_line(text: str, characters: int = MAX_LINE_CHARACTERS) -> str:
    """The text in one line, without anything that a terminal would interpret."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return line if len(line) <= characters else line[: characters - 1] + "…"
