"""Check the ports: they must answer while the daemon is running, and be free while it is not."""

from __future__ import annotations

import errno
import json
import socket
from collections.abc import Iterator
from typing import Final

from claudegwctl.checks.finding import NOTE, OK, PROBLEM, Finding, Scene
from claudegwd.contract import APP

CONNECT_SECONDS: Final = 2.0
MAX_INDEX_BYTES: Final = 4096  # a gateway's answer at / has about 300
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - wildcard binds, and where to reach them


def check(scene: Scene) -> Iterator[Finding]:
    for bind in scene.binds:
        host, _, port = bind.rpartition(":")
        host = host.strip("[]")
        if not port.isdigit():
            # `claudegwd --check` has already reported what is wrong with it.
            continue
        if scene.status is not None:
            yield _answering(bind, _ANY.get(host, host), int(port))
        elif int(port):
            yield _free(bind, host, int(port))


def _answering(bind: str, host: str, port: int) -> Finding:
    try:
        with socket.create_connection((host, port), timeout=CONNECT_SECONDS):
            return Finding("port", OK, f"{bind} accepts connections")
    except OSError as error:
        reason = error.strerror or "no answer"
        return Finding(
            "port",
            PROBLEM,
            f"{bind} does not accept connections: {reason}",
            "check for a firewall, then look at the log",
        )


def _free(bind: str, host: str, port: int) -> Finding:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
    except OSError as error:
        return Finding("port", *_refusal(bind, port, error))
    return Finding("port", OK, f"{bind} is free")


def _is_a_gateway(bind: str, port: int) -> bool:
    """Whether a claudegwd is listening there: it gives its name to anybody."""
    import http.client

    host = bind.rpartition(":")[0].strip("[]")
    connection = http.client.HTTPConnection(_ANY.get(host, host), port, timeout=CONNECT_SECONDS)
    try:
        connection.request("GET", "/")
        return bool(json.loads(connection.getresponse().read(MAX_INDEX_BYTES)).get("name") == APP)
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        return False
    finally:
        connection.close()


def _refusal(bind: str, port: int, error: OSError) -> tuple[str, str, str]:
    if error.errno == errno.EADDRINUSE:
        if _is_a_gateway(bind, port):
            says = f"{bind} is in use by a running claudegwd whose control socket this user cannot reach"
            return NOTE, says, "solve the daemon's problem above first; if there is none, name its socket with --socket"
        mend = f"stop that program (`ss -ltnp 'sport = :{port}'` shows it), or choose another port in server.bind"
        return PROBLEM, f"{bind} is in use by another program", mend
    if error.errno in {errno.EACCES, errno.EPERM}:
        return NOTE, f"this user may not bind to {bind}", "choose a port above 1023, or use a systemd socket unit"
    return PROBLEM, f"{bind} is not an address of this machine", "correct server.bind"
