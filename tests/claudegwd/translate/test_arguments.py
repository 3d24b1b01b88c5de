"""A call's arguments: always an object, and always something that can be written again."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.translate.arguments import MAX_DEPTH, as_object, canonical, is_json, same_numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("{}", {}),
        (' {"a": [1, null]} ', {"a": [1, None]}),
        ('{"a": 1.0}', {"a": 1.0}),
        ('{"a": ', {"arguments": '{"a": '}),
        ("[1]", {"arguments": "[1]"}),
        ("null", {"arguments": "null"}),
        ('"text"', {"arguments": '"text"'}),
        ('{"a": NaN}', {"arguments": '{"a": NaN}'}),
        (r'{"a": "\ud800"}', {"arguments": r'{"a": "\ud800"}'}),
        ('{"a": "\ud800"}', {"arguments": '{"a": "\ud800"}'}),
        ("[" * 100_000, {"arguments": "[" * 100_000}),
    ],
)
def test_as_object(text: str, value: dict[str, Any]) -> None:
    assert as_object(text) == value


def test_numbers_of_any_size_can_be_written_again() -> None:
    for text in ('{"a": 123456789012345678901234567890}', '{"a": 1e300}', '{"a": -0.0}', '{"a": 1e999}'):
        msgspec.json.encode(as_object(text))
        canonical(same_numbers(as_object(text)))


@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_any_text_becomes_something_that_has_a_canonical_form(text: str) -> None:
    assert canonical(same_numbers(as_object(text)))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4), st.booleans(), st.sampled_from([None, 2]))
def test_a_client_may_write_the_same_arguments_anew(value: dict[str, Any], reverse: bool, indent: int | None) -> None:
    again = dict(reversed(value.items())) if reverse else value
    one = canonical(same_numbers(as_object(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode())))
    other = json.dumps(again, indent=indent, ensure_ascii=True)
    assert canonical(same_numbers(as_object(other))) == one or "\\ud" in other


def test_javascript_writes_whole_numbers_without_a_point() -> None:
    assert same_numbers({"a": [1.0, {"b": -2.0}, 1.5, True]}) == {"a": [1, {"b": -2}, 1.5, True]}
    assert canonical(same_numbers(1.0)) == canonical(1)
    assert same_numbers(1e300) == 1e300


def test_arguments_that_are_too_deep_are_a_text() -> None:
    deep = '{"a": ' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}"
    assert as_object(deep) == {"arguments": deep}


@pytest.mark.parametrize(("text", "readable"), [("{}", True), ("[1]", True), ("", False), ('{"a": "b', False)])
def test_whether_they_can_be_read(text: str, readable: bool) -> None:
    assert is_json(text) is readable
