from __future__ import annotations

import pytest

from claudegwd.control.peer import Peer
from claudegwd.control.problems import BadRequest
from claudegwd.control.request import ControlRequest


def test_the_body() -> None:
    assert ControlRequest().object() == {}
    assert ControlRequest(body=b" \n").object() == {}
    assert ControlRequest(body=b'{"a": 1}').object() == {"a": 1}
    assert ControlRequest(body=b'{"a": 1}').only("a", "b") == {"a": 1}


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
def test_no_json_object(body: bytes) -> None:
    with pytest.raises(BadRequest, match="cannot read the body"):
        ControlRequest(body=body).object()


def test_an_unknown_field() -> None:
    with pytest.raises(BadRequest, match='cannot use the field "b": send no fields here'):
        ControlRequest(body=b'{"b": 1}').only()
    with pytest.raises(BadRequest, match='cannot use the field "b": the fields are a'):
        ControlRequest(body=b'{"a": 1, "b": 2}').only("a")


def test_the_query() -> None:
    request = ControlRequest(query={"lines": "7", "follow": "TRUE", "level": "info"})
    assert request.number("lines", 50, 100) == 7
    assert request.number("absent", 50, 100) == 50
    assert request.flag("follow") is True
    assert request.flag("absent") is False
    assert request.choice("level", "debug", ("debug", "info")) == "info"
    assert request.choice("absent", "debug", ("debug", "info")) == "debug"


@pytest.mark.parametrize("text", ["", "-1", "101", "x", "1.5", "٣", "9" * 5000])
def test_no_number(text: str) -> None:
    with pytest.raises(BadRequest, match="send a whole number from 0 to 100"):
        ControlRequest(query={"lines": text}).number("lines", 50, 100)


def test_no_choice_and_no_flag() -> None:
    with pytest.raises(BadRequest, match="send one of debug, info"):
        ControlRequest(query={"level": "loud"}).choice("level", "debug", ("debug", "info"))
    with pytest.raises(BadRequest, match="send 0 or 1"):
        ControlRequest(query={"follow": "2"}).flag("follow")


def test_a_token_in_the_body_is_in_no_repr() -> None:
    assert "sk-false" not in repr(ControlRequest(body=b'{"token": "sk-false-1"}'))


def test_a_change_by_a_process_that_is_not_known_is_recorded_without_it() -> None:
    noted: list[tuple[object, ...]] = []
    for peer in (Peer(5, 7), Peer(5), None):
        ControlRequest(peer=peer, note=lambda *found: noted.append(found)).changed("something", key="a")
    assert [found[:2] for found in noted] == [(5, 7), (5, None), (None, None)]
