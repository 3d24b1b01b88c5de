"""The tables of the documentation that are facts of the code: `python -m tests.doc_tables` writes them anew.

A document marks such a table by the line `<!-- table: NAME -->` before it. Its rows come from the code; where a table
has one column more than the code fills, that last column is for a person, and what stands there is kept.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.doc_sources import TABLES, Table

ROOT = Path(__file__).parent.parent
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))

_MARK = re.compile(r"<!-- table: ([a-z-]+) -->")
_CELL = re.compile(r"(?<!\\)\|")


Makers = Mapping[str, Callable[[], Table]]


def written_anew(text: str, makers: Makers = TABLES) -> str:
    """The document with its tables as the code has them now. KeyError for a table that nobody makes."""
    return "\n".join(_lines(text.split("\n"), makers))


def empty_cells(text: str) -> list[str]:
    """The rows of which the last column waits for a person: "table: first cell"."""
    found = []
    for name, rows in _tables(text.split("\n")):
        found += [f"{name}: {row[0]}" for row in rows if not row[-1]]
    return found


def _lines(lines: Sequence[str], makers: Makers) -> Iterator[str]:
    place = 0
    while place < len(lines):
        yield lines[place]
        mark = _MARK.fullmatch(lines[place].strip())
        place += 1
        if mark is None:
            continue
        end = _end(lines, place)
        yield from _table(makers[mark[1]](), [_cells(line) for line in lines[place + 2 : end]])
        place = end


def _table(table: Table, before: Sequence[Sequence[str]]) -> Iterator[str]:
    kept = {row[0]: row[-1] for row in before if len(row) == len(table.heads)}
    yield _row(table.heads)
    yield "|" + "---|" * len(table.heads)
    for row in table.rows:
        cells = [cell.replace("\n", " ").replace("|", r"\|") for cell in row]
        missing = len(table.heads) - len(cells)
        yield _row([*cells, *([kept.get(cells[0], "")] * missing)])


def _tables(lines: Sequence[str]) -> Iterator[tuple[str, list[list[str]]]]:
    for place, line in enumerate(lines):
        if mark := _MARK.fullmatch(line.strip()):
            yield mark[1], [_cells(row) for row in lines[place + 3 : _end(lines, place + 1)]]


def _end(lines: Sequence[str], place: int) -> int:
    while place < len(lines) and lines[place].startswith("|"):
        place += 1
    return place


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _CELL.split(line)[1:-1]]


def main() -> int:
    """Write every document that has changed; the exit status is 1 if a person has to fill in cells."""
    waiting = []
    for document in DOCUMENTS:
        text = document.read_text()
        anew = written_anew(text)
        if anew != text:
            document.write_text(anew)
            sys.stdout.write(f"wrote {document.relative_to(ROOT)}\n")
        waiting += [f"{document.relative_to(ROOT)}: {cell}" for cell in empty_cells(anew)]
    for cell in waiting:
        sys.stdout.write(f"say what it is for: {cell}\n")
    return 1 if waiting else 0


if __name__ == "__main__":
    sys.exit(main())
