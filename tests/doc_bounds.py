"""The named bounds of the program with their reasons: the constants of the code and the comments beside them."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from claudegwd.openai_api.bounds import Bounds

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "claudegwd"

# A constant is a bound by its name. The demo's endpoint bounds only itself.
_WORDS = re.compile(r"(^|_)(MAX|MIN|SECONDS|BYTES|CHARS|RECORDS|PAGES|TRIES|RETRIES|BATCHES|BACKLOG|KEEP|SHARE)(_|$)")
_LEFT_OUT = ("demo",)


@dataclass(frozen=True)
class Bound:
    """`name` is module and constant; `reason` is "" where the code gives none."""

    name: str
    value: str
    reason: str


def bounds() -> Iterator[Bound]:
    """All of them, by module."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if not module.startswith(_LEFT_OUT):
            yield from _of_module(module, path.read_text())


def _of_module(module: str, source: str) -> Iterator[Bound]:
    lines = source.split("\n")
    for node in ast.parse(source).body:
        if module == "openai_api.bounds" and isinstance(node, ast.ClassDef):
            yield from _of_class(module, node, lines)
        name = _name(node)
        if name is not None and not name.startswith("_") and _WORDS.search(name):
            value = getattr(importlib.import_module(f"claudegwd.{module}"), name)
            if isinstance(value, int | float):
                yield Bound(f"{module}.{name}", _shown(name, value), _reason(node.lineno, node.end_lineno or 0, lines))


def _of_class(module: str, node: ast.ClassDef, lines: Sequence[str]) -> Iterator[Bound]:
    values = {field.name: field.default for field in fields(Bounds)}
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            name = line.target.id
            value = values[name]
            if isinstance(value, int | float):
                yield Bound(f"{module}.{name}", _shown(name, value), _reason(line.lineno, line.lineno, lines))


def _name(node: ast.stmt) -> str | None:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)) if name.isupper():
            return name
    return None


def _reason(first: int, last: int, lines: Sequence[str]) -> str:
    """The comment at the end of the line, else the one above, which constants that stand together share."""
    beside = _comment_of(lines[last - 1])
    if beside:
        return beside[0].upper() + beside[1:]
    place = first - 2
    while place >= 0 and re.match(r"\s*_?[A-Za-z_]+(:[^=]*)? = ", lines[place]):
        place -= 1
    above: list[str] = []
    while place >= 0 and lines[place].lstrip().startswith("# "):
        above.insert(0, lines[place].strip().removeprefix("# "))
        place -= 1
    return " ".join(above)


def _comment_of(line: str) -> str:
    code, mark, comment = line.partition("  # ")
    return comment.strip() if mark and "noqa" not in comment and code else ""


def _shown(name: str, value: float) -> str:
    if "SECONDS" in name.upper():
        for unit, seconds in (("days", 86_400), ("h", 3_600)):
            if value > seconds and value % seconds == 0:
                return f"{int(value // seconds)} {unit}"
        return f"{value:g} s"
    if "BYTES" in name.upper():
        for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
            if value >= size and value % size == 0:
                return f"{int(value // size)} {unit}"
        return f"{value} bytes"
    return f"{value:,}".replace(",", " ")
