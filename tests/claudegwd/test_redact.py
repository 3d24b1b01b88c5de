from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.redact import MAX_TOKENS, REDACTED, Redactor


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("key sk-ant-api03-false_1-AA was bad", f"key {REDACTED} was bad"),
        ("cgw-0123456789abcdef", REDACTED),
        ("Authorization: Bearer abcd1234.x", f"Authorization: {REDACTED}"),
        ("sent bearer abcd1234", f"sent bearer {REDACTED}"),
        ("x-api-key: abcd1234", f"x-api-key: {REDACTED}"),
        ('{"ANTHROPIC_AUTH_TOKEN": "abcd1234"}', f'{{"ANTHROPIC_AUTH_TOKEN": "{REDACTED}"}}'),
        ("export ANTHROPIC_API_KEY='abcd1234'", f"export ANTHROPIC_API_KEY='{REDACTED}'"),
        ("two: sk-false-11111,sk-false-22222.", f"two: {REDACTED},{REDACTED}"),
        ("sk-learn and task-oriented-programming stay", "sk-learn and task-oriented-programming stay"),
        ("a bearer of bad news", "a bearer of bad news"),
        ("", ""),
    ],
)
def test_what_looks_like_a_token(text: str, clean: str) -> None:
    assert Redactor()(text) == clean


def test_known_tokens_go_wherever_they_stand() -> None:
    redact = Redactor(["plain-token", "plain-token-longer", "with.(regex)*"])
    assert redact("xplain-tokenx plain-token-longer with.(regex)*") == f"x{REDACTED}x {REDACTED} {REDACTED}"


def test_a_token_within_which_a_text_was_cut() -> None:
    redact = Redactor(["plain-token-0123456789", "other-token"])
    for end in range(len("plain-to"), len("plain-token-0123456789")):
        assert redact("said " + "plain-token-0123456789"[:end]) == f"said {REDACTED}"
    assert redact("said plain-t") == "said plain-t"
    assert redact("plain-token-0123 is another") == "plain-token-0123 is another"


def test_what_looks_like_a_token_can_be_left_for_a_person_to_see() -> None:
    text = "plain-token sk-false-11111111 authorization: $(x)"
    assert Redactor(["plain-token"]).known(text) == text.replace("plain-token", REDACTED)


def test_tokens_are_learned() -> None:
    redact = Redactor()
    assert redact("plain-token") == "plain-token"
    redact.know(["plain-token"])
    redact.know(["other-token", "plain-token"])
    assert redact("plain-token other-token") == f"{REDACTED} {REDACTED}"


def test_old_tokens_are_forgotten_but_none_that_is_in_use() -> None:
    redact = Redactor(["in-use-all-the-time"])
    for number in range(3 * MAX_TOKENS):
        redact.know([f"token-{number:06}", "in-use-all-the-time"])
    assert repr(redact) == f"Redactor({MAX_TOKENS} tokens)"
    last = 3 * MAX_TOKENS - 1
    assert redact(f"token-{last:06} in-use-all-the-time") == f"{REDACTED} {REDACTED}"
    assert redact("token-000000") == "token-000000"
    redact.know([f"many-{number:06}" for number in range(2 * MAX_TOKENS)])
    assert redact("many-000000") == REDACTED  # all that are in use together are known, however many


def test_a_short_word_is_no_token() -> None:
    redact = Redactor(["", "a", "short"])
    assert redact("a short text") == "a short text"


def test_no_token_in_its_repr() -> None:
    assert repr(Redactor(["plain-token"])) == "Redactor(1 tokens)"


@given(st.lists(st.text(min_size=8), min_size=1, max_size=5), st.data())
def test_no_known_token_survives(tokens: list[str], data: st.DataObject) -> None:
    redact = Redactor(tokens)
    pieces = data.draw(st.lists(st.one_of(st.sampled_from(tokens), st.text(max_size=3)), max_size=8))
    clean = redact(" ".join(pieces))
    for token in tokens:
        if token not in REDACTED and REDACTED not in token:
            assert token not in clean.replace(REDACTED, "\0")
