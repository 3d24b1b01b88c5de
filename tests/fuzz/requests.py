"""Whole requests, byte for byte: `python -m tests.fuzz.requests --minutes 60`.

Heads and bodies are changed and sent to a daemon on the fake CLI. It has to answer in HTTP or hang up, never with an
error of its own, and to go on serving. What fails is printed with its seed, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import socket
import sys
import time
from collections import Counter
from typing import Any

from claudegwd.public.app import ROUTES
from tests.e2e.daemon_process import Daemon
from tests.fuzz import mutate
from tests.fuzz.seeds import BODIES
from tests.fuzz.served import MODELS, served, unforeseen

SILENT_SECONDS = 1.0
ANSWER_SECONDS = 30.0
HEADERS = (
    "Content-Type: application/json", "Authorization: Bearer sk-false-1", "X-Api-Key: x", "Accept: */*",
    "Content-Encoding: gzip", "Transfer-Encoding: chunked", "Expect: 100-continue", "Upgrade: websocket",
    "Connection: upgrade, keep-alive", "X-Request-Id: a", "Origin: null", "Host: evil.example", "Range: bytes=0-",
    "Content-Length: 5", "Cookie: a=b", "X-Forwarded-For: ::1", "If-None-Match: *", "Accept-Encoding: br",
)  # fmt: skip
# The fake CLI is told to crash now and then: that is the one 500 that may be.
CRASHED = b"the Claude Code CLI failed"


def request(chance: random.Random) -> bytes:
    """One request, more or less."""
    route = chance.choice(ROUTES)
    path = re.sub(r"<.*?>", chance.choice(("x", "fake-echo-1", "%00", "..", "%ff")), route.path)
    body = b""
    if route.method == "POST":
        _, good = chance.choice(BODIES)
        changed = mutate.value(chance, good, chance.choice((0, 0, 1, 3)))
        if isinstance(changed, dict) and "model" in changed and chance.random() < 0.9:
            changed["model"] = chance.choice(MODELS)
        body = json.dumps(changed).encode()
        if chance.random() < 0.2:
            body = mutate.data(chance, body, 2)
    lines = [f"{route.method} {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    lines += chance.sample(HEADERS, chance.choice((0, 0, 1, 4)))
    length = len(body) if chance.random() < 0.95 else chance.choice((0, -1, len(body) + 3, "x"))
    lines += [f"Content-Length: {length}", "Connection: close"]
    head = "\r\n".join([*lines, "", ""]).encode()
    if chance.random() < 0.4:
        head = mutate.data(chance, head, chance.choice((1, 1, 5)))
    return head + body


def answer(port: int, sent: bytes) -> bytes:
    """All that comes back. Where nothing comes for a while, more is waited for, and told that none will come."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SILENT_SECONDS) as connection:
        try:
            connection.sendall(sent)
            while piece := _received(connection):
                got += piece
        except (BrokenPipeError, ConnectionResetError):
            pass  # hung up on while it was still sending
    return got


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except TimeoutError:
        connection.settimeout(ANSWER_SECONDS)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(65536)


def fuzz(daemon: Daemon, until: float, first: int | None = None) -> Counter[str]:
    """Ask until that moment of time.monotonic(). How many answers had which status ("none": hung up on)."""
    seen: Counter[str] = Counter()
    while True:
        number = random.SystemRandom().randrange(2**48) if first is None else first
        got = answer(daemon.port, request(random.Random(number)))
        status = got[9:12].decode() if got.startswith(b"HTTP/1.1 ") else "none"
        seen[status] += 1
        broken = unforeseen(daemon) if status == "500" and CRASHED not in got else []
        if got[:9] not in (b"", b"HTTP/1.1 ") or (status == "500" and CRASHED not in got):
            message = f"again: python -m tests.fuzz.requests --minutes 0 --seed {number}"
            raise AssertionError(f"{message}\n{got[:2000]!r}\n{broken}")
        if first is not None or time.monotonic() > until:
            return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int)
    given: Any = parser.parse_args()
    with served() as daemon:
        print(dict(fuzz(daemon, time.monotonic() + given.minutes * 60, given.seed)))
        found = unforeseen(daemon)
        print("\n".join(found) or "nothing unexpected in the log")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
