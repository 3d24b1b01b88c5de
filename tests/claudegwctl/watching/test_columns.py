from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from claudegwctl.watching.columns import Column, cut, fitted, printable

COLUMNS = (
    Column("name", lambda row: row["name"], 4, 10),
    Column("count", lambda row: f"{row['count']}", 5, right=True),
    Column("more", lambda row: row["more"], 4, 20, rank=1),
    Column("least", lambda row: row["more"], 5, 5, rank=2),
)
ROWS = [{"name": "first", "count": 7, "more": "some words"}, {"name": "a", "count": 12345, "more": ""}]


def lines(width: int, rows: list[dict[str, Any]] = ROWS) -> list[str]:
    return [line.rstrip() for line in fitted(COLUMNS, rows, width)]


def test_with_room_for_all() -> None:
    assert lines(40) == [
        "name  count more       least",
        "first     7 some words some…",
        "a     12345",
    ]


def test_what_matters_less_goes_first() -> None:
    assert lines(20)[0] == "name  count more"
    assert lines(14) == ["name  count", "first     7", "a     12345"]
    assert lines(10) == ["name count", "fir…     7", "a    12345"]


def test_a_window_that_is_too_narrow_for_anything_cuts() -> None:
    assert lines(6) == ["name…", "fir…", "a…"]


def test_a_column_that_says_nothing_is_left_out() -> None:
    assert lines(40, [{**row, "more": ""} for row in ROWS])[0] == "name  count"
    assert lines(40, [])[0] == "name count"


def test_wide_letters_are_as_wide_as_the_terminal_shows_them() -> None:
    assert cut("日本語", 6) == "日本語"
    assert cut("日本語", 5) == "日本…"
    assert cut("日本語", 4) == "日… "
    assert cut("ab", 0) == ""


def test_nothing_reaches_the_terminal_that_it_would_obey() -> None:
    assert printable("a\x1b[2Jb\nc\u202ed") == "a [2Jb c d"


_TEXTS = st.text(max_size=30)


@given(
    st.lists(st.fixed_dictionaries({"name": _TEXTS, "count": st.integers(), "more": _TEXTS}), max_size=5),
    st.integers(min_value=1, max_value=60),
)
def test_every_line_is_as_wide_as_the_window(rows: list[dict[str, Any]], width: int) -> None:
    found = fitted(COLUMNS, rows, width)
    assert len(found) == len(rows) + 1
    for line in found:
        assert cell_len(line) == width
        assert line.isprintable()
