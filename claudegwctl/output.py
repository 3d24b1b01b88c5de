"""Output for people: plain text, aligned, in colour only on a terminal that wants it."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400

# Newlines, tabs and our own colours are kept.
_STEERS: Final = re.compile(r"(\x1b\[[0-9;]*m)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_STREAMS: Final = (("stdin", os.O_RDONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY))
_COLOURS: Final = {"red": "31", "green": "32", "yellow": "33", "dim": "2", "bold": "1"}


class Unwritable(Exception):  # noqa: N818 - it names what happened
    """The output cannot be written. Not a Problem, because code that continues after a Problem has to stop here."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"cannot write the output: {error.strerror or 'refused'}; check where it goes")
        self.nobody_reads = isinstance(error, BrokenPipeError)


def say(text: str = "") -> None:
    """Print a line on stdout and flush it: somebody may be reading it through a pipe. Raises Unwritable."""
    show((harmless(text) if sys.stdout.isatty() else text) + "\n")


def show(text: str) -> None:
    """Write text to stdout as it is, and flush it. Raises Unwritable."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        raise Unwritable(error) from None


def note(text: str) -> None:
    """Print a line for people on stderr. It is not an error if it cannot be written."""
    with suppress(OSError):
        sys.stderr.write((harmless(text) if sys.stderr.isatty() else text) + "\n")
        sys.stderr.flush()


def open_closed_streams() -> None:
    """Open /dev/null in place of standard streams that are closed: the next socket would get their number otherwise.

    Output to stderr is then lost; output to stdout fails, as on a full disk."""
    for descriptor, (name, flags) in enumerate(_STREAMS):
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, flags)  # gets the lowest free number, which is this one
            os.set_inheritable(null, True)  # noqa: FBT003 - positional only
            setattr(sys, name, os.fdopen(null, "w" if descriptor else "r", closefd=False))


def give_up_stdout() -> None:
    """Discard the rest of the output, which would fail again when Python exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def harmless(text: str) -> str:
    """The text without control characters: an upstream's error, or a CLI's last words, may contain anything."""
    return _STEERS.sub(lambda found: found[1] or "", text)


def has_cursor_control() -> bool:
    """Whether the output is a terminal on which lines can be overwritten."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}


def say_json(value: Any) -> None:
    """Print JSON: indented on a terminal, otherwise on one line."""
    say_json_line(value, indent=2 if sys.stdout.isatty() else None)


def say_json_line(value: Any, indent: int | None = None) -> None:
    """Print JSON on one line, unless it is indented.

    Escaped where the output's encoding is not UTF-8, which programs that read JSON expect."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "").replace("_", "")
    say(json.dumps(value, ensure_ascii=encoding != "utf8", indent=indent))


def coloured(text: str, colour: str) -> str:
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], right: Container[int] = ()) -> list[str]:
    """Aligned columns below their heads; those whose index is in `right` are right-aligned."""
    texts = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[place]) for row in [list(heads), *texts]) for place in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        placed = enumerate(zip(cells, widths, strict=True))
        return "  ".join(
            cell.rjust(size) if place in right else cell.ljust(size) for place, (cell, size) in placed
        ).rstrip()

    return [coloured(line([head.upper() for head in heads]), "dim"), *map(line, texts)]


def hanging(text: str, indent: int) -> str:
    """Text whose continuation lines are indented, so that they stay in their column."""
    return text.replace("\n", "\n" + " " * indent)


def duration(seconds: float) -> str:
    """Two units at most: 5 s, 3 min 20 s, 2 h 5 min, 1 d 2 h."""
    whole = max(0, round(seconds))
    for size, name, smaller, smaller_name in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + (f" {rest} {smaller_name}" if rest else "")
    return f"{whole} s"


def ago(moment: float | None) -> str:
    """How long ago a moment (seconds since the epoch) was."""
    return "never" if moment is None else f"{duration(time.time() - moment)} ago"


def conversations(kept: Mapping[str, Any]) -> str:
    """How many conversations of workspaces are kept, and how much disk space they take."""
    count, size = kept.get("count", 0), kept.get("bytes", 0)
    return f"{count} conversation{'' if count == 1 else 's'}" + (f", {size / 1e6:.1f} MB" if count else "")


def megabytes(count: int | None) -> str:
    return "" if count is None else f"{count / 1e6:.0f} MB"


def plain(value: Any) -> str:
    """A setting's value as config.toml writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return "[" + ", ".join(map(plain, value)) + "]"
        case dict():
            inside = ", ".join(f"{plain(key)} = {plain(item)}" for key, item in value.items())
            return f"{{ {inside} }}" if inside else "{}"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(value: object) -> str:
    return "" if value is None else str(value)
