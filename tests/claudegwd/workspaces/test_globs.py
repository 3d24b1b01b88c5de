"""Patterns: they mean what the regular expression of the same meaning means, and take no longer for more wildcards."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.workspaces.globs import matches_text, path_glob

# What each part means, as a regular expression has it.
PARTS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|.", re.DOTALL)


def same(pattern: str) -> re.Pattern[str]:
    text = "".join(PARTS.get(token, re.escape(token)) for token in _TOKEN.findall(pattern))
    return re.compile(f"{text}(?:/.*)?", re.DOTALL)


@given(
    st.lists(st.sampled_from([*PARTS, "a", "b", "/", "."]), max_size=8).map("".join),
    st.text(st.sampled_from("ab/.\n"), max_size=12),
)
def test_a_path_is_meant_as_by_the_regular_expression(pattern: str, path: str) -> None:
    assert path_glob(pattern).matches(path) is (same(pattern).fullmatch(path) is not None)


@given(st.text(st.sampled_from("ab* "), max_size=8), st.text(st.sampled_from("ab* \n"), max_size=12))
def test_a_text_is_meant_as_by_the_regular_expression(pattern: str, text: str) -> None:
    glob = ".*".join(map(re.escape, pattern.split("*")))
    assert matches_text(pattern, text) is (re.fullmatch(glob, text, re.DOTALL) is not None)


@pytest.mark.parametrize("wildcard", ["*a", "**a", "**/a", "**/*a*", "a*a**/"])
def test_no_pattern_takes_longer_than_its_text(wildcard: str) -> None:
    """A hundred wildcards and the longest path: as a regular expression it would not end."""
    began = time.process_time()
    assert not path_glob(wildcard * (900 // len(wildcard)) + "!").matches("/a" * 2048)
    assert not path_glob(wildcard * (900 // len(wildcard)) + "!").matches("a" * 4096)
    assert not matches_text("*a" * 400 + "*!", "a" * 20_000)
    assert time.process_time() - began < 1
