from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwctl.connecting.jsonc import MAX_DEPTH, read, with_value, without

ZED = """\
// Zed settings
{
  "theme": "One Dark", // the dark one
  /* models */
  "language_models": {
    "openai": {
      "version": "1", // "old"
    },
    // more to come
  },
  "url": "https://x.example/a//b", // no comment inside
}
"""
PATH = ("language_models", "openai_compatible", "us")


def test_a_member_goes_in_and_out_of_an_editors_settings() -> None:
    there = with_value(ZED, PATH, {"api_url": "http://x", "models": [1]})
    assert read(there).data == {
        "theme": "One Dark",
        "language_models": {
            "openai": {"version": "1"},
            "openai_compatible": {"us": {"api_url": "http://x", "models": [1]}},
        },
        "url": "https://x.example/a//b",
    }
    assert '      "us": {\n        "api_url": "http://x",\n' in there, "as deep as its neighbours"
    lines = iter(there.splitlines())
    assert all(line in lines for line in ZED.splitlines()), "every line of theirs, in their order"
    assert without(there, PATH) == ZED


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '{\n  "a": {\n    "b": 1\n  }\n}\n'),
        ("// mine", '// mine\n{\n  "a": {\n    "b": 1\n  }\n}\n'),
        ('\ufeff{"x": 1}', '\ufeff{\n  "x": 1,\n  "a": {\n    "b": 1\n  }\n}'),
        ('{"a": null, "x": 1}', '{"a": {\n  "b": 1\n}, "x": 1}'),
        ('{"a": {"b": 0, "b": 2}}', '{"a": {"b": 0, "b": 1}}'),
        ('{\r\n\t"x": 1 // c\r\n}\r\n', '{\r\n\t"x": 1, // c\r\n\t"a": {\r\n\t\t"b": 1\r\n\t}\r\n}\r\n'),
        ("{ /* nothing yet */ }", '{\n  /* nothing yet */\n  "a": {\n    "b": 1\n  }\n}'),
    ],
)
def test_what_is_written(before: str, after: str) -> None:
    assert with_value(before, ("a", "b"), 1) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"a": {"b": 1}}', "{}"),
        ('{"x": 1, "a": {"b": 1}}', '{"x": 1 }'),
        ('{"a": {"b": 1}, "x": 1}', '{ "x": 1}'),
        ('{\n  "a": {\n    // keep\n    "b": 1\n  }\n}', '{\n  "a": {\n    // keep\n  }\n}'),
        ('{"a": 1}', '{"a": 1}'),
        ("[]", "[]"),
    ],
)
def test_what_is_taken_out(before: str, after: str) -> None:
    assert without(before, ("a", "b")) == after


@pytest.mark.parametrize(
    "text",
    [
        "{", '{"a"}', '{"a" 1}', "{a: 1}", "{'a': 1}", '{"a": 1 "b": 2}', "{,}", '{"a": 1,,}', "[1 2]", "{} {}",
        '{"a": 01}', '{"a": /* }', '{"a": "\n"}', '{"a": "\\x"}', "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2),
    ],
)  # fmt: skip
def test_what_is_no_such_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(text)


def test_a_value_in_the_way() -> None:
    with pytest.raises(ValueError, match="not an object"):
        with_value('{"a": 1}', ("a", "b"), 1)


NAMES = st.sampled_from(["a", "b", "us", 'q"', "ü"])
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
BLANKS = st.sampled_from(["", " ", "\n  ", " // c\n", "/* c */", "\n\t/* c */ // c\n"])


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, Any]:
    """An object as somebody may have written it, with comments wherever they may stand."""

    def text_of(value: Any) -> str:
        if isinstance(value, dict):
            items, marks = [f"{json.dumps(k)}{draw(BLANKS)}:{draw(BLANKS)}{text_of(v)}" for k, v in value.items()], "{}"
        elif isinstance(value, list):
            items, marks = [text_of(item) for item in value], "[]"
        else:
            return json.dumps(value)
        inside = ",".join(f"{draw(BLANKS)}{item}{draw(BLANKS)}" for item in items)
        comma = "," if items and draw(st.booleans()) else ""
        return f"{marks[0]}{inside}{comma}{draw(BLANKS)}{marks[1]}"

    data = draw(st.dictionaries(NAMES, DATA, max_size=3))
    return f"{draw(BLANKS)}{text_of(data)}{draw(BLANKS)}", data


def comments(text: str) -> int:
    return len(re.findall(r"// c\n|/\* c \*/", text))


@given(texts())
def test_nothing_else_changes(written: tuple[str, Any]) -> None:
    text, data = written
    assert read(text).data == data
    there = with_value(text, ("new", "us"), {"x": [1]})
    assert read(there).data == {**data, "new": {"us": {"x": [1]}}}
    back = without(there, ("new", "us"))
    assert read(back).data == data
    assert comments(text) == comments(there) == comments(back)
    for name in data:
        other = without(text, (name,))
        assert read(other).data == {key: value for key, value in data.items() if key != name}
        changed = with_value(text, (name,), 7)
        assert read(changed).data == {**data, name: 7}
