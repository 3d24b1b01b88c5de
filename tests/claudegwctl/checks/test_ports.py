from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from claudegwctl.checks.finding import Finding, Scene
from claudegwctl.checks.ports import check


def findings(binds: list[str], *, running: bool) -> list[Finding]:
    status = {"binds": binds} if running else None
    return list(check(Scene({}, Path("/s"), Path("/c"), status, {"server.bind": binds})))


def test_a_daemon_that_answers_and_one_that_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for bind in (f"127.0.0.1:{port}", f"0.0.0.0:{port}"):
            (found,) = findings([bind], running=True)
            assert (found.level, found.says) == ("ok", f"{bind} accepts connections")
    (found,) = findings([f"127.0.0.1:{port}"], running=True)
    assert found.level == "problem"
    assert "does not accept connections: Connection refused" in found.says


def test_a_port_that_is_free_and_one_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        bind = f"127.0.0.1:{listener.getsockname()[1]}"
        (found,) = findings([bind], running=False)
        assert (found.level, found.says) == ("problem", f"{bind} is in use by another program")
        assert "ss -ltnp" in found.mend
    (found,) = findings([bind], running=False)
    assert (found.level, found.says) == ("ok", f"{bind} is free")


class Index(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.said)  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("said", "level"), [(b'{"name": "claudegwd"}', "note"), (b'{"name": "nginx"}', "problem"), (b"[]", "problem")]
)
def test_a_port_that_a_gateway_has_taken_needs_no_end_of_it(said: bytes, level: str) -> None:
    """As when only the membership in the group of its control socket is missing."""
    with HTTPServer(("127.0.0.1", 0), Index) as server:
        server.said = said  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        (found,) = findings([f"127.0.0.1:{server.server_port}"], running=False)
        server.shutdown()
        thread.join()
    assert found.level == level
    assert ("in use by a running claudegwd" in found.says) is (level == "note")
    assert ("stop that program" in found.mend) is (level == "problem")


def test_an_address_that_is_not_ours() -> None:
    (found,) = findings(["192.0.2.1:8000"], running=False)
    assert (found.level, found.says) == ("problem", "192.0.2.1:8000 is not an address of this machine")


def test_what_says_nothing_is_skipped() -> None:
    assert findings(["nonsense", "127.0.0.1:0"], running=False) == []
