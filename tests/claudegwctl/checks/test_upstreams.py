"""Upstreams on loopback that answer, and that fail at each step."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Semaphore, Thread
from typing import Any

import pytest

from claudegwctl.checks.finding import Finding, Scene
from claudegwctl.checks.upstreams import DEFAULT_URL, addresses, check
from tests.claudegwd.notify.test_post import contexts

ANSWER = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


def scene(*keys: tuple[str, str | None, str], **env: str) -> Scene:
    rows = [{"name": name, "base_url": url, "state": state} for name, url, state in keys]
    return Scene({"PATH": os.environ["PATH"], **env}, Path("/s"), Path("/c"), {"keys": rows})


@contextmanager
def server(answer: bytes, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """One that gives whoever comes this answer; its port."""

    def serve() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ports.append(listener.getsockname()[1])
            bound.release()
            peer, _ = listener.accept()
            with peer:
                try:
                    stream = tls.wrap_socket(peer, server_side=True) if tls else peer
                    stream.recv(65536)
                    stream.sendall(answer)
                    stream.close()
                except OSError:
                    pass

    ports: list[int] = []
    bound = Semaphore(0)
    thread = Thread(target=serve)
    thread.start()
    bound.acquire()
    try:
        yield ports[0]
    finally:
        with socket.socket() as last:  # nobody may have come
            last.connect_ex(("127.0.0.1", ports[0]))
        thread.join()


def one(given: Scene) -> Finding:
    (found,) = check(given)
    return found


def test_an_answer_of_any_kind_is_well() -> None:
    with server(ANSWER) as port:
        found = one(scene(("first", f"http://127.0.0.1:{port}/api", "active"), ("off", "http://x.invalid", "disabled")))
    assert (found.level, found.says) == ("ok", f"127.0.0.1:{port} answers (first)")


def test_each_address_is_looked_at_once() -> None:
    keys: list[Any] = [("a", None, "active"), ("b", "http://x", "ready"), ("c", None, "invalid")]
    assert addresses(scene(*keys)) == {DEFAULT_URL: "a, c", "http://x": "b"}
    assert addresses(scene()) == {}
    assert list(check(Scene({}, Path("/s"), Path("/c")))) == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://me:sk-false-1@upstream.invalid", "upstream.invalid cannot be reached (first): name not resolved"),
        ("http://127.0.0.1:1", "127.0.0.1:1 cannot be reached (first): connection refused"),
        (
            "https://upstream.invalid:99999",
            "upstream.invalid:99999 cannot be reached (first): its address is unusable",
        ),
    ],
)
def test_no_way(url: str, says: str) -> None:
    found = one(scene(("first", url, "active")))
    assert (found.level, found.says) == ("problem", says)
    assert found.mend


def test_what_speaks_something_else() -> None:
    with server(b"SSH-2.0-OpenSSH\r\n") as port:
        found = one(scene(("first", f"http://127.0.0.1:{port}", "active")))
    assert found.says.endswith("it does not speak HTTP, or closed the connection")


def test_certificates(tmp_path: Path) -> None:
    tls, _ = contexts(tmp_path)
    with server(ANSWER, tls) as port:
        found = one(scene(("first", f"https://localhost:{port}", "active")))
    assert found.says.endswith("TLS: self-signed certificate")
    assert "NODE_EXTRA_CA_CERTS" in found.mend
    extra = str(tmp_path / "certificate.pem")
    with server(ANSWER, tls) as port:
        assert one(scene(("first", f"https://localhost:{port}", "active"), NODE_EXTRA_CA_CERTS=extra)).level == "ok"


def test_a_proxy() -> None:
    with server(b"HTTP/1.1 403 Forbidden\r\n\r\n") as port:
        found = one(scene(("first", "https://upstream.invalid", "active"), HTTPS_PROXY=f"http://127.0.0.1:{port}"))
    assert "refused by the proxy (403 Forbidden)" in found.says
    assert "HTTPS_PROXY" in found.mend
    gone = one(scene(("first", "https://upstream.invalid", "active"), https_proxy="127.0.0.1:1"))
    assert gone.says.endswith("connection refused (at the proxy)")
    past = scene(
        ("a", "https://a.upstream.invalid", "active"), https_proxy="127.0.0.1:1", NO_PROXY="x, .upstream.invalid"
    )
    assert one(past).says.endswith("name not resolved")
