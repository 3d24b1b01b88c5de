from __future__ import annotations

import shlex
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.workspaces.command import MAX_PATHS, MAX_WORDS, paths_in, words_of


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("pytest -q", ("pytest", "-q")),
        ("  ls\t-l  ", ("ls", "-l")),
        ("grep 'a;b|c' src", ("grep", "a;b|c", "src")),
        ('git commit -m "one two"', ("git", "commit", "-m", "one two")),
        ("a'b'\"c\"d", ("abcd",)),
        ("x ''", ("x", "")),
        ("python -m pytest tests/a.py::test_b", ("python", "-m", "pytest", "tests/a.py::test_b")),
        ("make CC=gcc", ("make", "CC=gcc")),
    ],
)
def test_one_plain_command(command: str, words: tuple[str, ...]) -> None:
    assert words_of(command) == words


@pytest.mark.parametrize(
    "command",
    [
        "", "   ", "a;b", "a && b", "a || b", "a | b", "a & b", "a &", "a\nb", "a\rb", "a > f", "a < f", "a <<E\nx\nE",
        "a <<<x", "a $(b)", "a `b`", "a $b", "a ${b}", 'a "$(b)"', 'a "`b`"', 'a "$b"', "a \\b", 'a "\\$b"', "a *",
        "a ?", "a [x]", "a {b,c}", "a ~", "a ~/x", "a # b", "(a)", "{ a; }", "! a", "A=1 a", "A+=1 a", "a 'b", 'a "b',
        "a\0b", "a\x0bb", "a\u00a0b", "a\u2028b", "if a", "a 'x\ny'", "a $'x'", "a !b", "a =(b)",
    ],
)  # fmt: skip
def test_anything_else_is_not_understood(command: str) -> None:
    words = words_of(command)
    assert words is None or command == "if a"  # a word that no rule names


@given(st.text(alphabet=st.sampled_from(list("ab -'\";&|<>$`\\\n(){}[]*?~#!=/.\t")), max_size=40))
def test_what_is_understood_is_what_a_shell_would_run(command: str) -> None:
    words = words_of(command)
    if words is not None:
        assert list(words) == shlex.split(command)  # which knows quotes, and no operators


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="'\"\0"), max_size=20),
    st.sampled_from([";", "&", "|", "<", ">", "$", "`", "\\", "\n", "(", ")", "{", "}", "*", "?", "[", "~", "#", "!"]),
    st.text(st.characters(codec="utf-8", exclude_characters="'\"\0"), max_size=20),
)
def test_no_operator_outside_of_quotes_is_understood(before: str, operator: str, after: str) -> None:
    assert words_of(f"pytest {before}{operator}{after}") is None


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("/etc/passwd", "/etc/passwd"),
        ("--file=/etc/passwd", "/etc/passwd"),
        ("-f/etc/passwd", "/etc/passwd"),
        ("-I../x", "../x"),
        ("@/etc/passwd", "/etc/passwd"),
        ("a:/etc/passwd", "/etc/passwd"),
        ("../x", "../x"),
        ("link", "link"),
        ("file:///etc/passwd", "///etc/passwd"),
        ("x://../../../etc/shadow", "x://../../../etc/shadow"),
        ("https://../../../etc/shadow", "https://../../../etc/shadow"),
        ("scp:///etc/shadow", "///etc/shadow"),
        ("https://a.example/?x=/etc/shadow", "/etc/shadow"),
        ("-C..", ".."),
        ("-Clink", "link"),
        ("-xzflink", "link"),
    ],
)
def test_paths_in_a_command(word: str, path: str) -> None:
    assert path in paths_in(("cat", word))


def test_an_address_is_no_path_outside() -> None:
    assert not [path for path in paths_in(("git", "https://u@example.org:80/x")) if path.startswith("/")]


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=5))
def test_every_word_may_be_a_path(words: list[str]) -> None:
    assert set(words) <= set(paths_in(words))


def test_what_nobody_could_look_through_is_not_understood() -> None:
    assert words_of("a " * MAX_WORDS) is not None
    assert words_of("a " * (MAX_WORDS + 1)) is None
    assert paths_in(("x", ",".join(f"a{number}" for number in range(MAX_PATHS - 2)))) is not None
    assert paths_in(("x", ",".join(f"a{number}" for number in range(MAX_PATHS)))) is None
    began = time.process_time()
    assert words_of("a " * 50_000) is None
    assert words_of("''" * 50_000) is not None
    assert time.process_time() - began < 1
