"""Read and edit JSON as editors allow it, with comments and trailing commas.

Everything that is not changed is kept byte for byte. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

# No settings are nested more deeply; it bounds the recursion.
MAX_DEPTH: Final = 100
_BLANKS: Final = re.compile(r"(?:[\s\ufeff]+|//[^\r\n]*|/\*(?s:.*?)\*/)*")
_SCALAR: Final = re.compile(
    r'"(?:[^"\\\x00-\x1f]|\\.)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null', re.ASCII
)
_INDENT: Final = re.compile(r"^([ \t]+)[^\s/*]", re.MULTILINE)


@dataclass(frozen=True)
class Value:
    """A value and its position in the text. `members` is None if it is not an object."""

    start: int
    end: int
    data: Any
    members: tuple[Member, ...] | None = None

    def member(self, name: str) -> Member | None:
        """The member of this name; if there are several, the last, which is the one that counts."""
        return next((each for each in reversed(self.members or ()) if each.name == name), None)


@dataclass(frozen=True)
class Member:
    """`start` is where its name begins, `comma` the position of the comma after it, if there is one."""

    name: str
    start: int
    value: Value
    comma: int | None


def read(text: str) -> Value:
    """Parse a text; an empty one counts as an empty object. Raises ValueError."""
    start = _after_blanks(text, 0)
    if start == len(text):
        return Value(start, start, {}, ())
    found = _value(text, start, 0)
    if _after_blanks(text, found.end) != len(text):
        raise ValueError("there is something after the value")
    return found


def with_value(text: str, path: Sequence[str], value: Any) -> str:
    """The text with `value` at `path`, creating the objects above it. Raises ValueError if something else is there."""
    here = read(text)
    if here.start == here.end:
        text += "{}\n" if not text or text.endswith("\n") else "\n{}\n"
        here = read(text)
    for place, name in enumerate(path):
        if here.members is None:
            raise ValueError("it is not an object")
        member = here.member(name)
        if member is None or member.value.data is None:
            for inner in reversed(path[place + 1 :]):
                value = {inner: value}
        if member is None:
            return _with_member(text, here, name, value)
        here = member.value
        if here.data is None:
            break
    return text[: here.start] + _dumped(text, value, _line_indent(text, here.start)) + text[here.end :]


def without(text: str, path: Sequence[str]) -> str:
    """The text without the member at `path`, and without objects above it that are empty then."""
    here = read(text)
    for name in path[:-1]:
        member = here.member(name)
        if member is None:
            return text
        here = member.value
    gone = here.member(path[-1])
    if gone is None or here.members is None:
        return text
    last = here.members[-1] is gone
    end = gone.value.end if gone.comma is None else gone.comma + 1
    start, end = _whole_lines(text, gone.start, end)
    kept = text[:start] + text[end:]
    comma = here.members[-2].comma if last and gone.comma is None and len(here.members) > 1 else None
    if comma is not None:  # the last member needs no comma after it
        kept = kept[:comma] + kept[comma + 1 :]
    emptied = _at(kept, path[:-1])
    if len(path) > 1 and emptied is not None and not kept[emptied.start + 1 : emptied.end - 1].strip():
        return without(kept, path[:-1])
    return kept


def _with_member(text: str, here: Value, name: str, value: Any) -> str:
    """The text with one more member at the end of the object `here`."""
    members = here.members or ()
    outer = _line_indent(text, here.start)
    indent = outer + _unit(text)
    if members and not text[text.rfind("\n", 0, members[-1].start) + 1 : members[-1].start].strip():
        indent = _line_indent(text, members[-1].start)
    body, comma = text[here.start + 1 : here.end - 1], ""
    if members:
        comma = "," if members[-1].comma is not None else ""
        behind = members[-1].value.end - here.start - 1
        body = body if comma else f"{body[:behind]},{body[behind:]}"
    line = _newline(text)
    body = body.rstrip() if "\n" in body else f"{line}{indent}{body.strip()}" if body.strip() else ""
    made = f"{json.dumps(name, ensure_ascii=False)}: {_dumped(text, value, indent)}{comma}"
    return f"{text[: here.start]}{{{body}{line}{indent}{made}{line}{outer}}}{text[here.end :]}"


def _whole_lines(text: str, start: int, end: int) -> tuple[int, int]:
    """The range, extended to whole lines if they contain nothing else."""
    begin = text.rfind("\n", 0, start) + 1
    if text[begin:start].strip():
        return start, end
    close = text.find("\n", end)
    if close >= 0 and not text[end:close].strip():
        return begin, close + 1
    return start, end


def _at(text: str, path: Sequence[str]) -> Value | None:
    here = read(text)
    for name in path:
        member = here.member(name)
        if member is None:
            return None
        here = member.value
    return here


def _dumped(text: str, value: Any, indent: str) -> str:
    """The value as JSON, with all lines but the first indented."""
    lines = json.dumps(value, ensure_ascii=False, indent=_unit(text)).split("\n")
    return f"{_newline(text)}{indent}".join(lines)


def _line_indent(text: str, place: int) -> str:
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    found = _INDENT.search(text)
    return found[1] if found else "  "


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _after_blanks(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    return found.end() if found else place


def _value(text: str, place: int, depth: int) -> Value:
    if depth > MAX_DEPTH:
        raise ValueError("it is nested too deeply")
    if text.startswith("{", place):
        return _object(text, place, depth)
    if text.startswith("[", place):
        return _array(text, place, depth)
    found = _SCALAR.match(text, place)
    if found is None:
        raise ValueError("a value is expected there")
    return Value(place, found.end(), json.loads(found[0]))


def _object(text: str, start: int, depth: int) -> Value:
    members: list[Member] = []
    place = _after_blanks(text, start + 1)
    while not text.startswith("}", place):
        name = _SCALAR.match(text, place)
        if name is None or name[0][0] != '"' or (members and members[-1].comma is None):
            raise ValueError("a name is expected there")
        colon = _after_blanks(text, name.end())
        if not text.startswith(":", colon):
            raise ValueError("a name has no value")
        value = _value(text, _after_blanks(text, colon + 1), depth + 1)
        comma = _after_blanks(text, value.end)
        has_comma = text.startswith(",", comma)
        members.append(Member(json.loads(name[0]), place, value, comma if has_comma else None))
        place = _after_blanks(text, comma + 1) if has_comma else comma
    return Value(start, place + 1, {each.name: each.value.data for each in members}, tuple(members))


def _array(text: str, start: int, depth: int) -> Value:
    items: list[Any] = []
    place, may_follow = _after_blanks(text, start + 1), True
    while not text.startswith("]", place):
        if not may_follow:
            raise ValueError("a comma is missing")
        item = _value(text, place, depth + 1)
        items.append(item.data)
        place = _after_blanks(text, item.end)
        may_follow = text.startswith(",", place)
        place = _after_blanks(text, place + 1) if may_follow else place
    return Value(start, place + 1, items)
