from __future__ import annotations

import socket

import pytest

from claudegwctl.problems import NotRunning, Problem, Refused
from claudegwctl.public import Address, address_of, client_key, events, texts
from tests.claudegwctl.speaking import speaking


@pytest.mark.parametrize(
    ("binds", "url"),
    [
        (["127.0.0.1:8000"], "http://127.0.0.1:8000/v1"),
        (["192.0.2.7:80", "127.0.0.1:9"], "http://127.0.0.1:9/v1"),
        (["0.0.0.0:8000"], "http://127.0.0.1:8000/v1"),
        (["[::]:8000"], "http://[::1]:8000/v1"),
        (["[2001:db8::1]:8000"], "http://[2001:db8::1]:8000/v1"),
    ],
)
def test_the_address_to_call(binds: list[str], url: str) -> None:
    assert address_of({"binds": binds}).url == url


def test_a_daemon_that_listens_nowhere_yet() -> None:
    with pytest.raises(Problem, match=r"^cannot ask claudegwd: "):
        address_of({"binds": []})


def test_reading_a_stream_over_comments_to_its_end() -> None:
    body = b': wait\n\ndata: {"choices": [{"delta": {"content": "a"}}]}\n\ndata: {"choices": []}\n\ndata: [DONE]\n\n'
    with speaking(body) as (address, face), events(address, "/x", {"q": 1}, "cgw-false-1") as (headers, found):
        assert [text for text, _ in texts(found)] == ["a", ""]
        assert headers["x-claudegw-worker"] == "warm"
        assert (face.bodies, face.keys) == ([b'{"q": 1}'], ["Bearer cgw-false-1"])


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (401, b'{"error": {"message": "cannot: no key", "code": "invalid_api_key"}}', Refused, "^cannot: no key$"),
        (502, b"<html>", Refused, "answered with status 502"),
        (200, b'data: {"error": {"message": "cannot go on"}}\n\n', Refused, "^cannot go on$"),
        (200, b'data: {"choices": []}\n\n', Problem, "the whole answer"),
        (200, b"", Problem, "the whole answer"),
    ],
)
def test_answers_that_are_none(status: int, body: bytes, kind: type[Problem], said: str) -> None:
    with (
        speaking(body, status) as (address, _),
        pytest.raises(kind, match=said),
        events(address, "/x", {}, None) as (_, found),
    ):
        list(found)


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(NotRunning, match=r"^cannot reach "), events(address, "/x", {}, None):
            pass


@pytest.mark.parametrize("key", ["cgw-false\rx", "cgw-fal se", "cgw-false-ü", "cgw-false-\u20ac"])
def test_a_key_that_cannot_be_one_is_not_shown(key: str) -> None:
    with pytest.raises(Problem) as refused:
        client_key({"GATEWAY_KEY": key})
    assert "cgw-" not in str(refused.value)


def test_a_key_from_a_file_with_a_line_end() -> None:
    assert client_key({"GATEWAY_KEY": "cgw-false-1\r\n"}) == "cgw-false-1"
    assert (client_key({}), client_key({"GATEWAY_KEY": " "})) == (None, None)
