"""Posting to real servers on loopback."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from claudegwd.notify.errors import DeliveryError, TryAgainError
from claudegwd.notify.post import POST_SECONDS, post

BODY = b'{"event": "test"}\n'
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@asynccontextmanager
async def serving(answer: bytes | None, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that gives every request this answer, or none and stays silent: its port, and the requests."""
    got: list[bytes] = []

    async def handle(tcp: trio.SocketStream) -> None:
        stream = trio.SSLStream(tcp, tls, server_side=True, https_compatible=True) if tls else tcp
        try:
            data = b""
            while BODY not in data:
                data += await stream.receive_some(65536)
            got.append(data)
            if answer is None:
                await trio.sleep_forever()
            else:
                await stream.send_all(answer)
            await stream.aclose()
        except trio.BrokenResourceError:
            pass

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(lambda **kw: trio.serve_tcp(handle, 0, host="127.0.0.1", **kw))
        yield listeners[0].socket.getsockname()[1], got
        nursery.cancel_scope.cancel()


async def test_one_post_of_json() -> None:
    async with serving(NO_CONTENT) as (port, got):
        await post(f"http://127.0.0.1:{port}/a/b?token=c#d", BODY, {})
    head, body = got[0].split(b"\r\n\r\n")
    assert head.startswith(b"POST /a/b?token=c HTTP/1.1\r\n")
    assert f"\r\nhost: 127.0.0.1:{port}\r\n".encode() in head.lower()
    assert b"\r\ncontent-type: application/json\r\n" in head.lower()
    assert body == BODY


@pytest.mark.parametrize(
    ("answer", "again", "says"),
    [
        (b"HTTP/1.1 404 No\r\n\r\n", False, "its server answered 404"),
        (b"HTTP/1.1 302 Go\r\nlocation: http://x/\r\n\r\n", False, "answered 302; set notify.url to its destination"),
        (b"HTTP/1.1 429 Slow\r\n\r\n", True, "its server answered 429"),
        (b"HTTP/1.1 503 Later\r\n\r\n", True, "its server answered 503"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", True, "its server does not speak HTTP, or closed the connection"),
        (b"", True, "its server does not speak HTTP, or closed the connection"),
    ],
)
async def test_why_it_failed(answer: bytes, *, again: bool, says: str) -> None:
    async with serving(answer) as (port, _):
        with pytest.raises(DeliveryError) as failed:
            await post(f"http://127.0.0.1:{port}/secret", BODY, {})
    assert isinstance(failed.value, TryAgainError) == again
    assert says in str(failed.value)
    assert "secret" not in str(failed.value)


async def test_nobody_there() -> None:
    async with serving(NO_CONTENT) as (port, _):
        pass
    with pytest.raises(TryAgainError, match="its server cannot be reached: Connection refused"):
        await post(f"http://127.0.0.1:{port}/secret", BODY, {})


async def test_no_such_name() -> None:
    with pytest.raises(TryAgainError, match="the name of its server cannot be resolved"):
        await post("https://hooks.invalid/secret", BODY, {})


async def test_a_name_that_is_none() -> None:
    with pytest.raises(DeliveryError, match="not a valid name"):
        await post("https://hooks..example/x", BODY, {})
    with pytest.raises(DeliveryError, match="not a valid name"):
        await post("https://hooks.example/x", BODY, {"HTTPS_PROXY": "http://proxy..example:3128"})


async def test_a_server_that_hangs(autojump_clock: object) -> None:
    async with serving(None) as (port, _):
        started = trio.current_time()
        with pytest.raises(TryAgainError, match="did not answer within 10 s"):
            await post(f"http://127.0.0.1:{port}/", BODY, {})
    assert trio.current_time() - started == pytest.approx(POST_SECONDS, abs=0.5)


def contexts(directory: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's with a certificate of its own for localhost and hooks.invalid, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName("hooks.invalid")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = directory / "certificate.pem"
    plain = serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))


async def test_tls_and_whom_it_trusts(tmp_path: Path) -> None:
    server, trusting = contexts(tmp_path)
    async with serving(NO_CONTENT, server) as (port, got):
        await post(f"https://localhost:{port}/", BODY, {}, trusting)
        assert len(got) == 1
        with pytest.raises(TryAgainError, match="its certificate is not valid: self-signed certificate"):
            await post(f"https://localhost:{port}/", BODY, {})
        with pytest.raises(TryAgainError, match="its certificate is not valid: "):
            await post(f"https://127.0.0.1:{port}/", BODY, {}, trusting)
        assert len(got) == 1
