"""Broken bodies are told what is wrong with them, and where; hostile ones cost little."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.openai_api.json_body import MAX_DIAGNOSED_BYTES, nests_deeper_than, read_object, shown

DEEP = 100_000


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        (b"", None, "not JSON"),
        (b"{", None, "line 1, column 2"),
        (b'{"a": 1}\n x', None, "line 2, column 2"),
        (b"hello", None, "not JSON"),
        (b"[]", None, "must be a JSON object"),
        (b"null", None, "must be a JSON object"),
        (b'"text"', None, "must be a JSON object"),
        (b'{"a": "\xff"}', None, r"not UTF-8 \(see byte 8\)"),
        (b'\xff\xfe{"a":1}', None, r"not UTF-8 \(see byte 1\)"),
        (b'\xef\xbb\xbf{"a": "\xff"}', None, r"not UTF-8 \(see byte 11\)"),
        ('{"a": 1}'.encode("utf-16-le"), None, "line 1, column 2"),
        (b'\xef\xbb\xbf\xef\xbb\xbf{"a": 1}', None, "line 1, column 1"),
        (b'{"a": NaN}', "a", "finite"),
        (b'{"a": {"b": [0, -Infinity]}}', "a.b[1]", "finite"),
        (b'{"a": 1e999}', "a", "finite"),
        (b'{"a": ' + b"1" * 5000 + b"}", None, "too long"),
        (b'{"a": [{"b": "x \\ud83d y"}]}', "a[0].b", "surrogate"),
        (b'{"a": "\\ude00"}', "a", "surrogate"),
        (b'{"a": "\xed\xa0\x80"}', "a", "surrogate"),
        (b'{"messages": [{"\\ud83d": 1}]}', "messages[0]", "surrogate"),
        (b'{"odd key!": "\\ud83d"}', "*", "surrogate"),
        (b'{"a":' * DEEP, None, "nested"),
        (b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}", None, "nested"),
        (b'{"a": "' + b"x" * MAX_DIAGNOSED_BYTES + b'\\ud83d"}', None, "not JSON"),
    ],
    ids=range(24),
)
def test_what_is_wrong_and_where(body: bytes, param: str | None, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        read_object(body, Bounds())
    assert caught.value.param == param
    assert caught.value.message.startswith("cannot read ")


def test_no_error_repeats_what_the_client_wrote() -> None:
    for body in (b'{"secret": secret}', b'{"a": "secret \\ud83d"}', b"secret", b'{"a": secretNaN}'):
        with pytest.raises(InvalidRequest) as caught:
            read_object(body, Bounds())
        assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "body", [b"[" + b"[]," * 50 + b"0]", b'{"a": [' + b'"",' * 50 + b"0]}", b'{"a": [' + b'"\\"",' * 50]
)
def test_too_many_values_are_refused_before_they_are_made(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="more than 40 JSON values"):
        read_object(body, Bounds(max_values=40))


@pytest.mark.parametrize("text", ['{"[,' * 100, '\\",' * 100, "\\" * 100])
def test_what_stands_in_a_text_is_no_value(text: str) -> None:
    body = json.dumps({"a": text}).encode()
    assert read_object(body, Bounds(max_values=5)) == {"a": text}


@given(st.lists(st.text('{}[]",\\ab', max_size=20), max_size=20))
def test_values_are_never_counted_too_high(texts: list[str]) -> None:
    body = json.dumps({"a": texts}).encode()
    assert read_object(body, Bounds(max_values=len(texts) + 2)) == {"a": texts}


def test_nesting_is_told_from_brackets_in_texts() -> None:
    assert nests_deeper_than(10, "[" * 11)
    assert nests_deeper_than(10, '{"a":' * 11 + "1" + "}" * 11)
    assert not nests_deeper_than(10, "[]" * 50)
    assert not nests_deeper_than(10, json.dumps({"code": "[{" * 50}))
    assert not nests_deeper_than(10, '"' + "[" * 50)
    assert not nests_deeper_than(10, '"\\"' + "[" * 50)


def test_only_names_are_shown() -> None:
    assert shown("max_tokens") == "max_tokens"
    assert shown("$ref") == "$ref"
    assert [shown(key) for key in ("", "a b", "a\r\nb", "é", "x" * 65)] == ["*"] * 5


def test_a_byte_order_mark_is_no_part_of_it() -> None:
    assert read_object(b'\xef\xbb\xbf{"a": 1}', Bounds()) == {"a": 1}
