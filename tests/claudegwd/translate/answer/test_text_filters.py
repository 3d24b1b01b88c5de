"""What an answer's text passes through: the same in any cut."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.translate.answer.text_filters import FilterChain, ObjectFilter, StopsFilter
from claudegwd.translate.answer.turn import TextFilter


def through(one: TextFilter, *pieces: str) -> str:
    passed = ""
    for piece in pieces:
        passed += one.feed(piece)
        if one.stopped:
            return passed
    return passed + one.end()


class TestStops:
    @pytest.mark.parametrize(
        ("stops", "text", "passed"),
        [
            (["\n"], "a\nb", "a"),
            (["\n"], "\nb", ""),
            (["\n"], "ab", "ab"),
            (["\n\n"], "a\nb\n", "a\nb\n"),
            (["\n\n"], "a\n\nb", "a"),
            (["\n\n", "\n \n"], "a\n \nb\n\n", "a"),
            (["\n\n", "\n"], "a\n\nb", "a"),
            (["  \n"], "a   \nb", "a "),
            (["\n  ", " "], "a\n  b", "a\n"),
            (["\n ", " "], "a\n  b", "a"),
        ],
    )
    def test_cut_anywhere(self, stops: list[str], text: str, passed: str) -> None:
        assert through(StopsFilter(stops), text) == passed
        assert through(StopsFilter(stops), *text) == passed
        for place in range(len(text)):
            assert through(StopsFilter(stops), text[:place], text[place:]) == passed

    @given(
        st.lists(st.text(" \n", min_size=1, max_size=3), min_size=1, max_size=3),
        st.lists(st.text(" \na", max_size=4), max_size=6),
    )
    def test_as_if_it_were_one_piece(self, stops: list[str], pieces: list[str]) -> None:
        text = "".join(pieces)
        written = [text[:end] for end in range(len(text) + 1)]
        ends = [(so_far, stop) for so_far in written for stop in stops if so_far.endswith(stop)]
        one = StopsFilter(stops)
        passed = through(one, *pieces)
        assert one.stopped is bool(ends)
        first = [so_far.removesuffix(stop) for so_far, stop in ends if so_far == ends[0][0]]
        assert passed == (min(first, key=len) if ends else text)

    def test_nothing_after_the_end(self) -> None:
        one = StopsFilter(["\n"])
        assert (one.feed("a\nb"), one.feed("c"), one.end()) == ("a", "", "")
        one = StopsFilter(["\n\n"])
        assert (one.feed("a\n"), one.feed("\nb"), one.end()) == ("a", "", "")


OBJECT = '{"a": "} \\" {", "b": [{"c": {}}], "é": "\\\\"}'


class TestObject:
    @pytest.mark.parametrize(
        "text",
        [
            OBJECT,
            f"```json\n{OBJECT}\n```",
            f"Here it is:\n\n{OBJECT}\n\nAnything else? {{}}",
            f" \n{OBJECT}",
            f"For {{name}} and {{{{ age }}}} in `${{HOME}}`:\n```\n{OBJECT}\n```",
            f"{{ {{\n{OBJECT}}}",
        ],
    )
    def test_only_the_object_passes(self, text: str) -> None:
        assert through(ObjectFilter(), text) == OBJECT
        assert through(ObjectFilter(), *text) == OBJECT

    def test_what_never_becomes_one(self) -> None:
        assert through(ObjectFilter(), "I would rather not.") == ""
        assert through(ObjectFilter(), '{"a": [1, ', "2") == '{"a": [1, 2'
        assert through(ObjectFilter(), "{name} of {}}")[:2] == "{}"
        assert through(ObjectFilter(), "in {braces}, {not, json}") == ""

    @given(
        st.dictionaries(st.text('"\\{}[] a', max_size=6), st.recursive(st.none() | st.text(max_size=6), st.lists)),
        st.sampled_from([None, 2]),
        st.lists(st.integers(0, 60), max_size=5),
    )
    def test_any_object_passes_whole(self, value: dict[str, Any], indent: int | None, places: list[int]) -> None:
        written = json.dumps(value, indent=indent, ensure_ascii=False)
        text = f"Here:\n```json\n{written}\n```\n{{}}"
        cuts = sorted(min(place, len(text)) for place in places)
        pieces = [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]
        assert through(ObjectFilter(), *pieces) == written

    @given(st.text('{}[]"\\ab ', max_size=30), st.lists(st.integers(0, 30), max_size=4))
    def test_the_same_in_any_cut(self, text: str, places: list[int]) -> None:
        cuts = sorted(min(place, len(text)) for place in places)
        pieces = [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]
        assert through(ObjectFilter(), *pieces) == through(ObjectFilter(), text)


def test_a_chain_is_one_behind_the_other() -> None:
    assert through(FilterChain([ObjectFilter(), StopsFilter(["\n\n"])]), "x\n\n{\n", "}\n\n") == "{\n}"
    chain = FilterChain([StopsFilter(["\n\n"]), ObjectFilter()])
    assert through(chain, "{}\n") == "{}"
    assert not chain.stopped
    assert through(FilterChain([ObjectFilter(), StopsFilter(["\n\n"])]), "{\n", "\n}") == "{"
    assert through(FilterChain([StopsFilter(["  "]), ObjectFilter()]), '{"a": ', "1} ") == '{"a": 1}'
