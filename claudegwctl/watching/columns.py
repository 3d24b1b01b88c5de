"""Tables that fit the window: less important columns are dropped first, and what is too long is cut. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.cells import cell_len, set_cell_size

Row = Mapping[str, Any]
EXTRA: Final = 3


@dataclass(frozen=True)
class Column:
    """`least` and `most` are widths in cells; a column without `most` is always `least` wide, so that numbers do not
    move. Columns of `rank` 0 are always shown; of the others, the highest rank is dropped first, and from EXTRA on a
    column is shown only if nothing has to be cut for it. If it is empty in every row, it is omitted unless its rank is
    0."""

    head: str
    cell: Callable[[Row], str]
    least: int
    most: int = 0
    rank: int = 0
    right: bool = False


def fitted(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[str]:
    """The head and then a line for each row, all exactly `width` wide."""
    shown = [(column, [printable(column.cell(row)) for row in rows]) for column in columns]
    shown = [each for each in shown if not each[0].rank or any(each[1])]
    while (highest := max(column.rank for column, _ in shown)) and _width(shown, whole=highest >= EXTRA) > width:
        shown = [each for each in shown if each[0].rank != highest]
    widths = [_least_of(column, cells) for column, cells in shown]
    room = width - _width(shown, whole=False)
    for place, (column, cells) in enumerate(shown):
        grown = max(0, min(room, _whole_of(column, cells) - widths[place]))
        widths[place] += grown
        room -= grown
    lines = [[column.head for column, _ in shown], *([cells[at] for _, cells in shown] for at in range(len(rows)))]
    placed = [(size, column.right) for size, (column, _) in zip(widths, shown, strict=True)]
    return [_line(cells, placed, width) for cells in lines]


def cut(text: str, width: int) -> str:
    """The text exactly `width` wide: padded with spaces, or cut and marked with "…"."""
    if cell_len(text) > width:
        text = set_cell_size(text, max(0, width - 1)).rstrip(" …") + "…"
    return set_cell_size(text, width)


def printable(text: str) -> str:
    """The text on one line, without control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _line(cells: Sequence[str], placed: Sequence[tuple[int, bool]], width: int) -> str:
    texts = []
    for cell, (size, right) in zip(cells, placed, strict=True):
        texts.append(cut(" " * max(0, size - cell_len(cell)) * right + cell, size))
    return cut(" ".join(texts), width)


def _width(shown: Sequence[tuple[Column, list[str]]], *, whole: bool) -> int:
    size = _whole_of if whole else _least_of
    return sum(size(column, cells) for column, cells in shown) + len(shown) - 1


def _least_of(column: Column, cells: Sequence[str]) -> int:
    return min(column.least, _needed(column, cells)) if column.most else column.least


def _whole_of(column: Column, cells: Sequence[str]) -> int:
    return min(column.most, _needed(column, cells)) if column.most else column.least


def _needed(column: Column, cells: Sequence[str]) -> int:
    return max(map(cell_len, [column.head, *cells]))
