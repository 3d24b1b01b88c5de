from __future__ import annotations

import pytest

from claudegwd.control.ask import Ask
from claudegwd.control.problems import BadRequest


def test_the_body() -> None:
    assert Ask().object() == {}
    assert Ask(body=b" \n").object() == {}
    assert Ask(body=b'{"a": 1}').object() == {"a": 1}
    assert Ask(body=b'{"a": 1}').only("a", "b") == {"a": 1}


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
def test_no_json_object(body: bytes) -> None:
    with pytest.raises(BadRequest, match="cannot read the body"):
        Ask(body=body).object()


def test_an_unknown_field() -> None:
    with pytest.raises(BadRequest, match='cannot take the field "b": known are a'):
        Ask(body=b'{"a": 1, "b": 2}').only("a")


def test_the_query() -> None:
    ask = Ask(query={"lines": "7", "follow": "TRUE", "level": "info"})
    assert ask.number("lines", 50, 100) == 7
    assert ask.number("absent", 50, 100) == 50
    assert ask.flag("follow") is True
    assert ask.flag("absent") is False
    assert ask.choice("level", "debug", ("debug", "info")) == "info"
    assert ask.choice("absent", "debug", ("debug", "info")) == "debug"


@pytest.mark.parametrize("text", ["", "-1", "101", "x", "1.5", "٣", "9" * 5000])
def test_no_number(text: str) -> None:
    with pytest.raises(BadRequest, match="write a whole number from 0 to 100"):
        Ask(query={"lines": text}).number("lines", 50, 100)


def test_no_choice_and_no_flag() -> None:
    with pytest.raises(BadRequest, match="write one of debug, info"):
        Ask(query={"level": "loud"}).choice("level", "debug", ("debug", "info"))
    with pytest.raises(BadRequest, match="write 0 or 1"):
        Ask(query={"follow": "2"}).flag("follow")


def test_a_token_in_the_body_is_in_no_repr() -> None:
    assert "sk-false" not in repr(Ask(body=b'{"token": "sk-false-1"}'))
