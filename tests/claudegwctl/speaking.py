"""A public face that says what a test wants, over a real socket: for answers that no gateway gives on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from claudegwctl.public import Address


class Face(HTTPServer):
    """`status` and `body` are answered to every POST; `bodies` and `keys` are what came."""

    def __init__(self, body: bytes, status: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body, self.status = body, status
        self.bodies: list[bytes] = []
        self.keys: list[str | None] = []


class _Handler(BaseHTTPRequestHandler):
    server: Face

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.server.keys.append(self.headers["authorization"])
        self.send_response(self.server.status)
        self.send_header("x-claudegw-worker", "warm")
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def speaking(body: bytes, status: int = 200) -> Iterator[tuple[Address, Face]]:
    with Face(body, status) as face:
        thread = threading.Thread(target=face.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Address("127.0.0.1", face.server_address[1]), face
        finally:
            face.shutdown()
            thread.join()
