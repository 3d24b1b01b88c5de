"""keys.json as text: what is taken, what is refused and in which words."""

import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.keys.key import KeyKind, KeyStatus, UpstreamKey
from claudegwd.keys.parse import (
    KeysError,
    document_keys,
    document_of,
    dump_document,
    key_entry,
    notes_on,
    parse_document,
)

ORIGIN = "keys.json"


def parse(value: Any) -> tuple[UpstreamKey, ...]:
    return document_keys(parse_document(json.dumps(value).encode(), ORIGIN), ORIGIN)


def refused(**fields: Any) -> KeysError:
    entry = {"name": "primary", "token": "sk-false-1", **fields}
    with pytest.raises(KeysError) as caught:
        parse({"claude_api_keys": [entry]})
    assert caught.value.message.startswith("cannot use keys.json: ")
    return caught.value


def test_the_documented_shape() -> None:
    assert parse(
        {
            "claude_api_keys": [
                {"name": "primary", "token": "sk-false-1", "base_url": "https://relay.example/v", "status": "active"},
                {"name": "second", "token": "sk-false-2", "status": "disabled", "kind": "api_key"},
            ]
        }
    ) == (
        UpstreamKey("primary", "sk-false-1", "https://relay.example/v"),
        UpstreamKey("second", "sk-false-2", None, KeyKind.API_KEY, KeyStatus.DISABLED),
    )


def test_the_older_gateways_list() -> None:
    assert parse([{"name": "a", "token": "sk-false-1", "base_url": ""}]) == (UpstreamKey("a", "sk-false-1"),)


@pytest.mark.parametrize("value", [{}, [], {"claude_api_keys": []}])
def test_no_keys_are_legal(value: Any) -> None:
    assert parse(value) == ()


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        (b'{"claude_api_keys": [}', 1, 22),
        (b'{\n  "claude_api_keys": [\n    {"name": "a" "token": "sk-false-secret"}\n  ]\n}', 3, 18),
        (b"{\n\xff}", 2, 1),
        (b"[] x", 1, 4),
        (b"", 1, 1),
    ],
)
def test_broken_json_is_named_by_line_and_column(data: bytes, line: int, column: int) -> None:
    with pytest.raises(KeysError) as caught:
        parse_document(data, ORIGIN)
    error = caught.value
    assert (error.line, error.column) == (line, column)
    assert f"cannot read keys.json: line {line}, column {column}: " in error.message
    assert "sk-false" not in error.message


def test_too_deep_or_too_long_is_no_crash() -> None:
    with pytest.raises(KeysError, match="too long or too deeply nested"):
        parse_document(b"[" * 100_000, ORIGIN)
    with pytest.raises(KeysError, match="too long or too deeply nested"):
        parse_document(b'{"claude_api_keys": [], "other": %s}' % (b"1" * 5000), ORIGIN)


@pytest.mark.parametrize(
    "value",
    [1, "x", None, {"claude_api_keys": {}}, {"claude_api_keys": "sk-false-1"}, {"claude_api_key": []}, {"a": 1}],
)
def test_other_shapes_say_what_to_write(value: Any) -> None:
    with pytest.raises(KeysError, match=r'write \{"claude_api_keys"'):
        parse(value)


def test_a_field_that_stands_there_twice() -> None:
    with pytest.raises(KeysError, match="same field twice"):
        parse_document(b'[{"name": "a", "token": "sk-false-1", "token": "sk-false-2"}]', ORIGIN)


def test_an_entry_that_is_no_object_is_named_by_number() -> None:
    with pytest.raises(KeysError, match="entry 2 is not an object"):
        parse([{"name": "a", "token": "sk-false-1"}, "sk-false-2"])


def test_duplicate_names() -> None:
    with pytest.raises(KeysError, match="key 'a' occurs twice") as caught:
        parse([{"name": "a", "token": "sk-false-1"}, {"name": "a", "token": "sk-false-2"}])
    assert caught.value.key == "a"


@pytest.mark.parametrize(
    "name",
    ["", None, 5, "a/b", "..", ".", "-a", "a\nb", "a'b", 'a"b', "(environment)", "x" * 65, " a", "a ", "a;b", "a$b"],
)
def test_names_that_would_need_quoting(name: Any) -> None:
    assert "entry 1" in refused(name=name).message


@pytest.mark.parametrize("name", ["primary", "Max 20x", "ключ", "a.b_c-d", "team@example", "7"])
def test_names_of_people_are_fine(name: str) -> None:
    assert parse([{"name": name, "token": "sk-false-1"}])[0].name == name


@pytest.mark.parametrize("token", ["", None, 7, " ", "\n"])
def test_empty_tokens(token: Any) -> None:
    assert "key 'primary' has no token" in refused(token=token).message


@pytest.mark.parametrize("bad", ["\n", "\r", "\0", "\x1b", " ", '"', "'", "`", "\t", "é", "\u2028", "\x7f"])
def test_tokens_with_characters_that_no_token_holds(bad: str) -> None:
    error = refused(token=f"sk-false{bad}1")
    assert "key 'primary' has a token with" in error.message
    assert "sk-false" not in error.message


def test_a_huge_token() -> None:
    assert "longer than" in refused(token="x" * 10_000).message


@pytest.mark.parametrize(
    "url",
    [
        5,
        "relay.example",
        "ftp://relay.example",
        "https://",
        "https://user:sk-false-2@relay.example",
        "https://relay.example/?key=sk-false-2",
        "https://relay.example/#x",
        "https://relay.example:99999",
        "https://relay.example:0",
        "https://[::1",
        "https://relay.example/a b",
        "https://relay.example\n",
        "https://relay.example/'",
        "http://relay.example",
        "http://10.0.0.1:8080",
        "http://127.0.0.1.relay.example",
        "http://localhost.relay.example",
    ],
)
def test_bad_base_urls(url: Any) -> None:
    error = refused(base_url=url)
    assert re.search(r"key 'primary' has an? (invalid )?base_url", error.message)
    assert "sk-false" not in error.message


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8080", "http://[::1]/x", "https://[::1]:8443/v2/", "https://a.example", "http://localhost:1"],
)
def test_good_base_urls(url: str) -> None:
    assert parse([{"name": "a", "token": "sk-false-1", "base_url": url}])[0].base_url == url


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://relay.example/v1", "https://relay.example"),
        ("https://relay.example/v1/", "https://relay.example"),
        ("https://relay.example/v1/messages", "https://relay.example"),
        ("https://relay.example/claude/v1", "https://relay.example/claude"),
        ("http://127.0.0.1:8080/v1/messages/", "http://127.0.0.1:8080"),
        ("https://relay.example/v1/x", "https://relay.example/v1/x"),
        ("https://relay.example/av1", "https://relay.example/av1"),
        ("https://v1", "https://v1"),
        ("https://v1/v1/", "https://v1"),
    ],
)
def test_what_the_cli_adds_to_a_base_url_is_taken_off(url: str, taken: str) -> None:
    data = json.dumps([{"name": "a", "token": "sk-false-1", "base_url": url}]).encode()
    document = parse_document(data, "keys.json")
    keys = document_keys(document, "keys.json")
    assert keys[0].base_url == taken
    notes = notes_on(document, keys, "keys.json")
    assert [taken in note for note in notes] == [True] * (taken != url)


@pytest.mark.parametrize(
    ("token", "kind", "sent", "said"),
    [
        ("sk-ant-api03-false", None, KeyKind.API_KEY, "x-api-key, judging by its prefix"),
        ("sk-ant-api03-false", "api_key", KeyKind.API_KEY, None),
        ("sk-ant-api03-false", "auth_token", KeyKind.AUTH_TOKEN, "kind is 'auth_token'"),
        ("sk-ant-oat01-false", None, KeyKind.AUTH_TOKEN, None),
        ("sk-ant-oat01-false", "api_key", KeyKind.API_KEY, "kind is 'api_key'"),
        ("sk-false-1", None, KeyKind.AUTH_TOKEN, None),
        ("sk-false-1", "api_key", KeyKind.API_KEY, None),
    ],
)
def test_the_kind_is_that_of_the_prefix_where_none_is_given(
    token: str, kind: str | None, sent: KeyKind, said: str | None
) -> None:
    entry = {"name": "a", "token": token, **({"kind": kind} if kind else {})}
    document = parse_document(json.dumps([entry]).encode(), "keys.json")
    keys = document_keys(document, "keys.json")
    assert keys[0].kind is sent
    assert document_keys(parse_document(json.dumps([key_entry(keys[0])]).encode(), ""), "") == keys
    notes = notes_on(document, keys, "keys.json")
    assert len(notes) == (said is not None)
    assert all(said in note and token not in note for note in notes if said)


@pytest.mark.parametrize("field", ["status", "kind"])
@pytest.mark.parametrize("value", ["Active", "gone", 1, [], ""])
def test_unknown_words_name_the_known_ones(field: str, value: Any) -> None:
    message = refused(**{field: value}).message
    assert f"key 'primary' has an unknown {field}; use 'a" in message


@pytest.mark.parametrize(
    ("field", "meant"), [("base_ulr", "base_url"), ("baseUrl", "base_url"), ("Status", "status"), ("kinds", "kind")]
)
def test_a_misspelt_field_is_no_note(field: str, meant: str) -> None:
    message = refused(**{field: "sk-false-value"}).message
    assert f"key 'primary' has a field '{field}'; did you mean {meant}?" in message
    assert "sk-false" not in message


def test_notes_of_ones_own_are_fine() -> None:
    entry = {"name": "a", "token": "sk-false-1", "comment": "mine", "tokens": 5, "owner": "me", "url": "x"}
    assert parse([entry]) == (UpstreamKey("a", "sk-false-1"),)


def test_foreign_fields_order_and_indentation_survive() -> None:
    text = (
        '{\n    "comment": "ключи \\\\",\n    "claude_api_keys": [\n        {\n            "note": [1, 2.5, null],\n'
        '            "token": "sk-false-1",\n            "name": "a"\n        }\n    ],\n    "version": 3\n}\n'
    )
    document = parse_document(text.encode(), ORIGIN)
    assert json.loads(dump_document(document)) == json.loads(text)
    document.entries.append(key_entry(UpstreamKey("b", "sk-false-2")))
    after = dump_document(document).decode()
    assert after.startswith(
        '{\n    "comment": "ключи \\\\",\n    "claude_api_keys": [\n        {\n            "note": ['
    )
    assert list(json.loads(after)) == ["comment", "claude_api_keys", "version"]
    assert list(json.loads(after)["claude_api_keys"][0]) == ["note", "token", "name"]


def test_one_line_stays_one_line_and_lone_surrogates_survive() -> None:
    text = b'{"claude_api_keys": [], "x": "\\ud800"}'
    assert dump_document(parse_document(text, ORIGIN)) == text + b"\n"


def test_a_new_document_is_readable() -> None:
    assert dump_document(document_of([])) == b'{\n  "claude_api_keys": []\n}\n'


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\ nametoknul1\n', max_size=60).map(str.encode))
def test_any_bytes_give_keys_or_an_error(data: bytes) -> None:
    with suppress(KeysError):
        document_keys(parse_document(data, ORIGIN), ORIGIN)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, st.sampled_from([None, 2, "\t"]))
def test_what_is_written_is_what_was_read(value: Any, indent: Any) -> None:
    text = json.dumps({"x": value, "claude_api_keys": []}, indent=indent)
    assert json.loads(dump_document(parse_document(text.encode(), ORIGIN))) == json.loads(text)
