"""What the public face takes for a request, byte for byte."""

from __future__ import annotations

import json

import pytest

from claudegwd.servers.http1 import MAX_HEAD_BYTES, MAX_HEADERS, refusal
from tests.claudegwd.servers.test_serving import PATIENCE, running

HOST = (b"host", b"localhost")


def test_an_ordinary_head_passes() -> None:
    assert refusal(b"GET", b"/v1/models?page=1", b"1.1", [HOST]) is None
    assert refusal(b"GET", b"/livez", b"1.0", []) is None
    assert refusal(b"OPTIONS", b"*", b"1.1", [HOST]) is None
    assert refusal(b"POST", b"/", b"1.1", [HOST, (b"transfer-encoding", b"chunked")]) is None


@pytest.mark.parametrize("target", [b"http://evil.test/livez", b"?x", b"http://[", b"evil.example:443", b"*", b"livez"])
def test_a_target_that_is_no_path_is_refused(target: bytes) -> None:
    assert refusal(b"GET", target, b"1.1", [HOST]) == 400


def test_a_body_of_two_lengths_is_refused() -> None:
    both = [HOST, (b"content-length", b"4"), (b"transfer-encoding", b"chunked")]
    assert refusal(b"POST", b"/", b"1.1", both) == 400
    assert refusal(b"POST", b"/", b"1.0", [(b"transfer-encoding", b"chunked")]) == 400


@pytest.mark.parametrize("version", [b"2.0", b"0.9", b"3.0"])
def test_other_versions_are_refused(version: bytes) -> None:
    assert refusal(b"GET", b"/", version, [HOST]) == 505


def test_the_head_is_bounded_in_count_and_size() -> None:
    assert refusal(b"GET", b"/", b"1.1", [HOST] * MAX_HEADERS) is None
    assert refusal(b"GET", b"/", b"1.1", [HOST] * (MAX_HEADERS + 1)) == 431
    assert refusal(b"GET", b"/", b"1.1", [HOST, (b"a", b"b" * MAX_HEAD_BYTES)]) == 431
    assert refusal(b"GET", b"/" * MAX_HEAD_BYTES, b"1.1", [HOST]) == 431


async def told(request: bytes) -> tuple[int, bytes]:
    """Status and all that came, until the other side closed."""
    got = b""
    async with running() as here:
        stream = await here.connect()
        await stream.send_all(request)
        while piece := await stream.receive_some():
            got += piece
        await here.server.stop(PATIENCE)
    return int(got.split()[1]), got


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET ?x HTTP/1.1\r\nhost: here\r\n\r\n", 400),
        (b"HEAD ?x HTTP/1.1\r\nhost: here\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET", 400),
        (b"POST / HTTP/1.1\r\nhost: here\r\ntransfer-encoding: gzip\r\n\r\n", 501),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", 505),
        (b"GET / HTTP/1.1\r\nhost: here\r\n" + b"a: b\r\n" * 1000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nhost: here\r\na: " + b"b" * 140_000, 431),
    ],
)
async def test_what_is_refused_is_told_why_and_cut_off(request_: bytes, status: int) -> None:
    found, answer = await told(request_)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert found == status
    assert b"x-request-id: req_" in head
    if not request_.startswith(b"HEAD"):
        error = json.loads(body)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["message"].startswith("cannot ")


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
async def test_no_other_protocol_is_changed_to(protocol: str) -> None:
    more = "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nhttp2-settings: AAMAAABk\r\n"
    head = f"GET / HTTP/1.1\r\nhost: here\r\nconnection: upgrade, close\r\nupgrade: {protocol}\r\n{more}\r\n"
    status, answer = await told(head.encode())
    assert status == 200
    assert answer.endswith(b"ok")
    assert b"upgrade" not in answer.lower()
