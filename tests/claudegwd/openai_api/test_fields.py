"""Readers check types, give None for null, and name the path."""

from typing import Any

import pytest

from claudegwd.openai_api.errors import InvalidRequest, UnsupportedParameter
from claudegwd.openai_api.fields import Fields, cannot_honour

READERS: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "text": (lambda f: f.text("x", longest=3), ["", "abc"], [1, True, [], {}, "abcd"]),
    "needed_text": (lambda f: f.needed_text("x"), ["a"], ["", None, 1]),
    "one_of": (lambda f: f.one_of("x", ("a", "b")), ["a", "b"], ["c", "", 1]),
    "flag": (lambda f: f.flag("x"), [True, False], [0, 1, "true", []]),
    "whole": (lambda f: f.whole("x", 0, 9), [0, 9, 3.0], [-1, 10, 1.5, True, "1", 1e300, 10**400]),
    "number": (lambda f: f.number("x", 0, 2), [0, 2, 0.5], [-1, 2.1, True, "1", 10**400]),
    "object": (lambda f: f.object("x"), [{}, {"a": 1}], [[], "a", 1]),
    "needed_object": (lambda f: f.needed_object("x"), [{}], [None, []]),
    "array": (lambda f: f.array("x", longest=2), [[], [1, 2]], [{}, "a", [1, 2, 3]]),
    "objects": (lambda f: f.objects("x", longest=2), [[], [{}]], [{}, [{}, {}, {}]]),
}


@pytest.mark.parametrize("name", READERS)
def test_readers(name: str) -> None:
    read, good, bad = READERS[name]
    for value in good:
        assert read(Fields({"x": value})) is not None
    for value in bad:
        with pytest.raises(InvalidRequest) as caught:
            read(Fields({"x": value}, "a[0]"))
        assert caught.value.param == "a[0].x"
        assert caught.value.message.startswith("cannot read a[0].x: it ")


@pytest.mark.parametrize("name", [name for name in READERS if "needed" not in name])
def test_null_and_absent_are_the_same(name: str) -> None:
    read = READERS[name][0]
    assert read(Fields({"x": None})) == read(Fields({}))


@pytest.mark.parametrize(("fields", "fault"), [({}, "missing"), ({"x": None}, "missing"), ({"x": ""}, "empty")])
def test_empty_is_not_missing(fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidRequest, match=f"cannot read x: it is {fault}; send a string"):
        Fields(fields).needed_text("x")


def test_paths_go_down() -> None:
    (inner,) = Fields({"messages": [{"content": [{"type": 3}]}]}).objects("messages", longest=9)
    (part,) = inner.objects("content", longest=9)
    assert part.at("type") == "messages[0].content[0].type"
    with pytest.raises(InvalidRequest) as caught:
        Fields({"x": [{}, 1]}).objects("x", longest=9)
    assert caught.value.param == "x[1]"


def test_what_cannot_be_honoured_says_what_to_do() -> None:
    with pytest.raises(UnsupportedParameter, match="cannot honour audio: leave it out"):
        cannot_honour("audio", "leave it out")


def test_one_possible_value_is_not_one_of_several() -> None:
    with pytest.raises(InvalidRequest, match=r"it must be approximate$"):
        Fields({"x": "exact"}).one_of("x", ("approximate",))
