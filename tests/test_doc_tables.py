"""Tables written anew: the code's columns change, a person's column is kept."""

from __future__ import annotations

import pytest

from tests.doc_bounds import bounds
from tests.doc_sources import Table
from tests.doc_tables import empty_cells, written_anew

TEXT = """Before.

<!-- table: sizes -->
| old heads | | |
|---|---|---|
| `b` | 1 | what b is for |
| `gone` | 9 | what was |

After | all.
"""


SIZES = Table(("name", "size", "for"), [("`a`", "1|2"), ("`b`", "3"), ("`c`", "4", "said by the code")])
MAKERS = {"sizes": lambda: SIZES}


def test_rows_come_from_the_code_and_a_persons_words_stay() -> None:
    lines = written_anew(TEXT, MAKERS).split("\n")
    assert lines[:3] == TEXT.split("\n")[:3]
    assert lines[3:8] == [
        "| name | size | for |",
        "|---|---|---|",
        r"| `a` | 1\|2 |  |",
        "| `b` | 3 | what b is for |",
        "| `c` | 4 | said by the code |",
    ]
    assert lines[8:] == ["", "After | all.", ""]


def test_writing_twice_changes_nothing() -> None:
    once = written_anew(TEXT, MAKERS)
    assert written_anew(once, MAKERS) == once


def test_cells_that_wait_for_a_person_are_named() -> None:
    assert empty_cells(written_anew(TEXT, MAKERS)) == ["sizes: `a`"]


def test_an_unknown_table_is_an_error() -> None:
    with pytest.raises(KeyError, match="unheard-of"):
        written_anew("<!-- table: unheard-of -->\n| a |\n|---|\n")


def test_bounds_have_values_with_units_and_reasons() -> None:
    found = {bound.name: bound for bound in bounds()}
    assert found["openai_api.bounds.max_n"].value == "8"
    assert found["servers.http1.MAX_HEAD_BYTES"].value == "64 KiB"
    assert found["daemon.daemon.STATUS_SECONDS"].value == "5 s"
    assert "process" in found["openai_api.bounds.max_n"].reason
