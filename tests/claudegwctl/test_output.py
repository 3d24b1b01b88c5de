from __future__ import annotations

import time
from typing import Any

import pytest

from claudegwctl.output import ago, conversations, duration, hanging, harmless, megabytes, plain, table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"), (0, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (200, "3 min 20 s"), (3600, "1 h"),
        (7500, "2 h 5 min"), (86_400, "1 d"), (93_784, "1 d 2 h"), (10_000_000, "115 d 17 h"),
    ],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_nothing_steers_the_terminal_but_our_own_colours() -> None:
    assert harmless("\x1b[31mred\x1b[0m a\tb\nc \x1b]0;title\x07\x1b[2J\x9b1m\u202e!") == (
        "\x1b[31mred\x1b[0m a\tb\nc ]0;title[2J1m!"
    )


def test_continuation_lines_stay_in_their_column() -> None:
    assert hanging("cannot read it:\nfirst\nsecond", 4) == "cannot read it:\n    first\n    second"


def test_moments() -> None:
    assert ago(None) == "never"
    assert ago(time.time() - 7200.4) == "2 h ago"


def test_memory() -> None:
    assert megabytes(180_400_000) == "180 MB"
    assert megabytes(None) == ""


@pytest.mark.parametrize(
    ("count", "size", "text"),
    [(0, 0, "0 conversations"), (1, 60_000, "1 conversation, 0.1 MB"), (12, 3e6, "12 conversations, 3.0 MB")],
)
def test_kept_conversations(count: int, size: float, text: str) -> None:
    assert conversations({"count": count, "bytes": size}) == text


def test_tables_are_aligned_and_end_without_spaces() -> None:
    assert table(("name", "n", "note"), [("a", 1, None), ("longer", 22, "x")]) == [
        "NAME    N   NOTE",
        "a       1",
        "longer  22  x",
    ]
    assert table(("name",), []) == ["NAME"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (30.0, "30"),
        (0.5, "0.5"),
        (7, "7"),
        ("x", '"x"'),
        (["a", "b"], '["a", "b"]'),
        ([], "[]"),
        ({}, "{}"),
        ({"gpt-4o": "sonnet"}, '{ "gpt-4o" = "sonnet" }'),
    ],
)
def test_values_as_config_toml_writes_them(value: Any, text: str) -> None:
    assert plain(value) == text
