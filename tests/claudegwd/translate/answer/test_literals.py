"""JSON string literals, joined without a loss."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.translate.answer.literals import is_blank, joined, literal_of

ANY = st.text(st.characters(exclude_categories=()), max_size=8)


@given(st.lists(ANY), st.booleans())
def test_joined_pieces_are_the_text(pieces: list[str], ascii_only: bool) -> None:
    literals = [json.dumps(one, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") for one in pieces]
    text = joined(literals)
    if ascii_only:
        # Halves that meet become the character that they are halves of.
        assert text.encode("utf-16", "surrogatepass") == "".join(pieces).encode("utf-16", "surrogatepass")


@given(ANY)
def test_there_and_back(text: str) -> None:
    back = joined([literal_of(text)])
    assert back.encode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass")


@given(st.lists(st.binary(max_size=8).map(lambda inner: b'"' + inner + b'"')))
def test_nothing_raises(pieces: list[bytes]) -> None:
    joined(pieces)


def test_no_piece_is_no_text() -> None:
    assert joined([]) == ""


@pytest.mark.parametrize(
    ("text", "blank"),
    [("", True), (" ", True), ("\n\t\r\n", True), ("\u00a0\u2028\ufeff", True), ("\0", False), (" x ", False)],
)
def test_blank_is_what_javascript_trims(text: str, blank: bool) -> None:
    assert is_blank(json.dumps(text).encode()) is blank
