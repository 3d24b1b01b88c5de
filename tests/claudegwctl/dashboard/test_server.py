from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from claudegwctl.client import Daemon
from claudegwctl.dashboard.access import Access
from claudegwctl.dashboard.answers import Answers
from claudegwctl.dashboard.assets import SECURITY_HEADERS
from claudegwctl.dashboard.exchange import DashboardRequest
from claudegwctl.dashboard.server import MAX_CONNECTIONS, DashboardServer, listen
from claudegwctl.problems import Problem
from tests.plain_http import blocking_client


class Broken(Answers):
    """Answers that have a fault of their own."""

    def answer(self, name: str, request: DashboardRequest) -> object:  # type: ignore[override]
        raise RuntimeError("sk-false-1")


@contextmanager
def serving(nowhere: Path, answers: type[Answers] = Answers) -> Iterator[tuple[httpx.Client, str]]:
    """A visitor who has entered, and the place of the page."""
    with listen(0) as listener:
        port = listener.getsockname()[1]
        access = Access(port)
        server = DashboardServer(access, answers(Daemon(nowhere), read_only=False))
        threading.Thread(target=_until_closed, args=(server, listener), daemon=True).start()
        with blocking_client(f"http://127.0.0.1:{port}", timeout=30) as client:
            assert client.get(access.link).status_code == 200
            yield client, access.place
        listener.shutdown(socket.SHUT_RDWR)


def _until_closed(server: DashboardServer, listener: socket.socket) -> None:
    try:
        server.serve(listener)
    except OSError:
        return


def test_the_page_and_its_files(nowhere: Path) -> None:
    with serving(nowhere) as (client, place):
        page = client.get(place)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert '<script type="module" src="main.js">' in page.text
        for name in ("main.js", "style.css", "icon.svg"):
            assert client.get(place + name).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["../access.py", "..%2faccess.py", "%2e%2e/access.py", "....//access.py", "/etc/passwd", "//etc/passwd",
     "page/main.js", "main.js/", "main.js%00", "index.html", "__init__.py", "./main.js", "..\\access.py", "api", "api/",
     "api/../main.js"],
)  # fmt: skip
def test_no_path_leads_to_another_file(nowhere: Path, path: str) -> None:
    with (
        serving(nowhere) as (client, place),
        socket.create_connection((client.base_url.host, client.base_url.port)) as raw,
    ):
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        # By hand: clients make paths shorter before they send them.
        raw.sendall(
            f"GET {place}{path} HTTP/1.1\r\nHost: 127.0.0.1:{client.base_url.port}\r\nCookie: {cookie}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: raw.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.1 404 "), answer[:40]


def test_every_answer_has_the_security_headers(nowhere: Path) -> None:
    with serving(nowhere) as (client, place):
        answers = [
            client.get(place), client.get(place + "main.js"), client.get(place + "api/state"), client.get("/nowhere"),
            client.get("/"), client.put(place), client.get(place, headers={"host": "evil.example"}),
        ]  # fmt: skip
        assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 403, 405, 403]
        for answer in answers:
            for name, value in SECURITY_HEADERS:
                assert answer.headers[name] == value
            assert "access-control-allow-origin" not in answer.headers


def test_other_methods_are_refused(nowhere: Path) -> None:
    with serving(nowhere) as (client, place):
        for method in ("HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            assert client.request(method, place + "api/state").status_code == 405
        assert client.post(place + "main.js", content=b"{}").status_code == 403


def test_a_fault_of_ours_ends_one_request_and_tells_no_secret(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(nowhere, Broken) as (client, place):
        answer = client.get(place + "api/state")
        assert answer.status_code == 500
        assert client.get(place).status_code == 200
    assert capsys.readouterr().err == "cannot answer the page: RuntimeError\n"
    assert "sk-false-1" not in answer.text


def test_more_connections_than_it_takes_wait_for_one_that_ends(nowhere: Path) -> None:
    with serving(nowhere) as (client, place):
        address = (client.base_url.host, client.base_url.port)
        # The visitor's own is one of them.
        others = [socket.create_connection(address) for _ in range(MAX_CONNECTIONS)]
        others[-1].settimeout(0.2)
        for other in others:
            other.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{address[1]}\r\n\r\n".encode())
        with pytest.raises(TimeoutError):
            others[-1].recv(1)
        others[0].close()
        others[-1].settimeout(10)
        assert others[-1].recv(12) == b"HTTP/1.1 403"
        for other in others[1:]:
            other.close()
        assert client.get(place).status_code == 200


def test_a_port_that_is_taken_is_said(nowhere: Path) -> None:
    with (
        listen(0) as first,
        pytest.raises(Problem, match=r"^cannot listen on port \d+: it is in use; omit --port to pick"),
    ):
        listen(first.getsockname()[1])


def test_it_listens_on_loopback_alone() -> None:
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
