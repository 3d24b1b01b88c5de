from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from claudegwctl.dashboard.assets import SECURITY_HEADERS
from claudegwctl.dashboard.connection import MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_QUERY_FIELDS, serve_connection
from claudegwctl.dashboard.exchange import DashboardRequest, Response, json_response

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"
WAIT_SECONDS = 10.0


@contextmanager
def connected(seen: list[DashboardRequest] | None = None) -> Iterator[socket.socket]:
    """The browser's end of a connection that answers everything; it must have ended by itself, or with this end."""
    ours, theirs = socket.socketpair()

    def handler(request: DashboardRequest) -> Response:
        if seen is not None:
            seen.append(request)
        return json_response({"path": request.path})

    def serve() -> None:
        with theirs:
            serve_connection(theirs, handler)

    thread = threading.Thread(target=serve)
    thread.start()
    ours.settimeout(WAIT_SECONDS)
    try:
        with ours:
            yield ours
    finally:
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()


def everything(sock: socket.socket) -> bytes:
    """All that comes until the other end has closed."""
    data = b""
    while piece := sock.recv(65_536):
        data += piece
    return data


def test_one_request_after_the_other_with_all_the_headers() -> None:
    seen: list[DashboardRequest] = []
    with connected(seen) as sock:
        sock.sendall(b"GET /a?x=1&y=%C3%A4&x=2 HTTP/1.1\r\nHost: h\r\nCookie: a=b\r\n\r\n")
        first = sock.recv(65_536)
        sock.sendall(b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        second = everything(sock)
    for answer, path in ((first, b'"/a"'), (second, b'"/b"')):
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert path in body
        lines = {line.lower() for line in head.decode().split("\r\n")}
        assert {f"{name}: {value}".lower() for name, value in SECURITY_HEADERS} <= lines
    assert seen[0] == DashboardRequest("GET", "/a", {"x": "2", "y": "ä"}, {"host": "h", "cookie": "a=b"}, b"")
    assert (seen[1].method, seen[1].body) == ("POST", b"{}")


def test_a_header_that_comes_twice_is_neither_of_the_two() -> None:
    seen: list[DashboardRequest] = []
    with connected(seen) as sock:
        sock.sendall(HEAD + b"Origin: http://a\r\nOrigin: http://b\r\nConnection: close\r\n\r\n")
        everything(sock)
    assert seen[0].headers["origin"] == "http://a; http://b"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),  # no Host
        (HEAD + b"Host: b\r\n\r\n", b"400"),
        (HEAD + b"X: " + b"x" * MAX_HEAD_BYTES, b"431"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1) + b"x" * 5000, b"413"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
    ],
)  # fmt: skip
def test_what_is_too_large_or_cannot_be_read_is_refused_and_the_connection_ends(sent: bytes, status: bytes) -> None:
    seen: list[DashboardRequest] = []
    with connected(seen) as sock:
        sock.sendall(sent)
        assert everything(sock).split(b" ")[1] == status
    assert seen == []


def test_a_body_in_chunks_is_bounded_as_well() -> None:
    chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
    with connected() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 5)
        assert b" 413 " in everything(sock)


def test_a_query_of_too_many_fields_has_none() -> None:
    seen: list[DashboardRequest] = []
    query = b"&".join(b"a%d=1" % number for number in range(MAX_QUERY_FIELDS + 1))
    with connected(seen) as sock:
        sock.sendall(b"GET /?" + query + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        everything(sock)
    assert seen[0].query == {}


def test_a_head_request_has_no_body() -> None:
    with connected() as sock:
        sock.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert everything(sock).endswith(b"\r\n\r\n")


@pytest.mark.parametrize("sent", [b"", b"GET /", HEAD, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"])
def test_a_browser_that_leaves_ends_it(sent: bytes) -> None:
    seen: list[DashboardRequest] = []
    with connected(seen) as sock:
        sock.sendall(sent)
    assert seen == []


def test_whoever_is_slow_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    from claudegwctl.dashboard import connection

    monkeypatch.setattr(connection, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.2)
    for sent in (b"", b"GET / HT"):
        with connected() as sock:
            sock.sendall(sent)
            assert everything(sock) == b""
