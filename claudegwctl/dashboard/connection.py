"""One connection from the browser: HTTP/1.1 with h11, one request after the other, each bounded in size and time."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

import h11

from claudegwctl.dashboard.assets import SECURITY_HEADERS
from claudegwctl.dashboard.exchange import DashboardRequest, Response, refusal

Handler = Callable[[DashboardRequest], Response]

# Request line and headers; a browser's are about one kilobyte.
MAX_HEAD_BYTES: Final = 16 * 1024
# The longest body contains the name of a key.
MAX_BODY_BYTES: Final = 4 * 1024
# Fields of a query; the log has six filters.
MAX_QUERY_FIELDS: Final = 16
# The page polls every second: a connection that is silent for longer has been abandoned.
IDLE_SECONDS: Final = 15.0
# To receive a request from its first byte, and to send an answer: both ends are on this machine.
REQUEST_SECONDS: Final = 5.0
WRITE_SECONDS: Final = 10.0
_READ_BYTES: Final = 16 * 1024


def serve_connection(sock: socket.socket, handler: Handler) -> None:
    """Answer requests until the browser is done, or violates the protocol. Does not close the socket."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
    try:
        while True:
            try:
                request = _read(sock, connection)
            except _TooLarge:
                _send(
                    sock, connection, "POST", refusal(413, f"cannot accept a body of more than {MAX_BODY_BYTES} bytes")
                )
                return
            except h11.RemoteProtocolError as error:
                _send(sock, connection, "GET", refusal(error.error_status_hint, "cannot read this request"))
                return
            if request is None:
                return
            _send(sock, connection, request.method, handler(request))
            if {connection.our_state, connection.their_state} != {h11.DONE}:
                return
            connection.start_next_cycle()
    except (OSError, h11.ProtocolError):
        # The browser went away, or was too slow.
        return


class _TooLarge(Exception):  # noqa: N818 - it names what happened
    pass


def _read(sock: socket.socket, connection: h11.Connection) -> DashboardRequest | None:
    """The next request; None if there are no more. Raises TimeoutError, _TooLarge, h11.RemoteProtocolError."""
    deadline: float | None = None
    head: h11.Request | None = None
    body = b""
    while True:
        event = connection.next_event()
        match event:
            case h11.NEED_DATA:
                left = IDLE_SECONDS if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                sock.settimeout(left)
                connection.receive_data(sock.recv(_READ_BYTES))
                deadline = deadline or time.monotonic() + REQUEST_SECONDS
            case h11.Request():
                head = event
            case h11.Data():
                body += event.data
                if len(body) > MAX_BODY_BYTES:
                    raise _TooLarge
            case h11.EndOfMessage() if head is not None:
                return _request(head, body)
            case _:
                return None


def _request(head: h11.Request, body: bytes) -> DashboardRequest:
    path, _, query = head.target.decode("ascii").partition("?")
    headers: dict[str, str] = {}
    for name, value in head.headers:
        text = name.decode("ascii")
        # Repeated headers are joined, so that no check for a single value accepts them.
        headers[text] = f"{headers[text]}; {value.decode('latin-1')}" if text in headers else value.decode("latin-1")
    try:
        fields = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS))
    except ValueError:
        fields = {}
    return DashboardRequest(head.method.decode("ascii"), path, fields, headers, body)


def _send(sock: socket.socket, connection: h11.Connection, method: str, response: Response) -> None:
    headers = [
        *SECURITY_HEADERS,
        *response.headers,
        ("content-type", response.content_type),
        ("content-length", str(len(response.body))),
    ]
    data = connection.send(h11.Response(status_code=response.status, headers=headers)) or b""
    if method != "HEAD":
        data += connection.send(h11.Data(data=response.body)) or b""
    data += connection.send(h11.EndOfMessage()) or b""
    sock.settimeout(WRITE_SECONDS)
    sock.sendall(data)
