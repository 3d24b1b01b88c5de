"""200 connections at once: `python -m tests.security.flood --seconds 20`.

Everybody gets an answer, or 429 or 503 with `retry-after`; nobody gets anything else, and /livez goes on answering.
Printed are how many got what, and how long /livez took.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import trio

from tests.e2e.daemon_process import Daemon
from tests.fuzz.served import MODELS, served
from tests.plain_http import blocking_control_client

CONNECTIONS = 200
# Of two clients with half of the connections each, the first may have few at once, and the second meets a queue that is
# shorter than its half.
CONCURRENT = 8
CONFIG = "[auth]\nrequired = true\n"
LIMITS = "requests_per_minute = 0\nqueue = 32\nqueue_seconds = 1"
LOOK_SECONDS = 0.05
ANSWER_SECONDS = 60.0


@dataclass
class Flood:
    """What came of it. `looks` are the seconds that each GET /livez took, its new connection included."""

    seen: Counter[int] = field(default_factory=Counter)
    without_word: int = 0
    looks: list[float] = field(default_factory=list)

    @property
    def p95(self) -> float:
        return sorted(self.looks)[int(len(self.looks) * 0.95)]


async def flood(daemon: Daemon, seconds: float, keys: Sequence[str], *, rude: bool = False) -> Flood:
    """Ask on so many connections, again and again, for so long. `rude`: at once again, whatever `retry-after` says."""
    found = Flood()
    questions = [_question(key, stream=stream) for key in keys for stream in (False, True)]

    async def visitor(number: int) -> None:
        while True:
            answer = await _asked(daemon.port, questions[number % len(questions)])
            status = int(answer[9:12])
            found.seen[status] += 1
            head = answer.partition(b"\r\n\r\n")[0].lower()
            if status in (429, 503):
                word = re.search(rb"\r\nretry-after: (\d+)", head)
                found.without_word += word is None
                if word is not None and not rude:
                    await trio.sleep(max(0.0, min(float(word[1]), until - trio.current_time())))
            if trio.current_time() >= until:
                return

    async def watcher() -> None:
        look = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        while True:
            started = trio.current_time()
            assert (await _asked(daemon.port, look)).startswith(b"HTTP/1.1 200 ")
            found.looks.append(trio.current_time() - started)
            await trio.sleep(LOOK_SECONDS)

    until = trio.current_time() + seconds
    async with trio.open_nursery() as watching:
        watching.start_soon(watcher)
        async with trio.open_nursery() as visitors:
            for number in range(CONNECTIONS):
                visitors.start_soon(visitor, number)
        watching.cancel_scope.cancel()
    return found


def _question(key: str, *, stream: bool) -> bytes:
    messages = [{"role": "user", "content": "hello"}]
    body = json.dumps({"model": MODELS[2], "messages": messages, "stream": stream}).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nauthorization: Bearer {key}\r\n\r\n"
    )
    return head.encode() + body


async def _asked(port: int, request: bytes) -> bytes:
    # As little as a client can do: it runs in the same loop as all the others, and would be measured too.
    got = b""
    with trio.fail_after(ANSWER_SECONDS):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(request)
            while piece := await stream.receive_some():
                got += piece
    assert got.startswith(b"HTTP/1.1 "), got
    return got


def keys_of(daemon: Daemon) -> list[str]:
    """Of two new clients, the first with few requests at once."""
    with blocking_control_client(daemon.socket) as control:
        wanted = ({"name": "few", "concurrent_requests": CONCURRENT}, {"name": "many"})
        keys = [control.post("/v1/clients", json=each).json()["key"] for each in wanted]
    daemon.secrets.update(keys)
    return keys


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rude", action="store_true", help="ask again at once when refused")
    given = parser.parse_args()
    with served(CONFIG, LIMITS) as daemon:
        found = trio.run(partial(flood, rude=given.rude), daemon, given.seconds, keys_of(daemon))
    print(f"answers {dict(found.seen)}, refusals without retry-after {found.without_word}")
    p50 = statistics.median(found.looks)
    print(f"/livez, {len(found.looks)} times: p50 {p50 * 1000:.1f} ms, p95 {found.p95 * 1000:.1f} ms")
    return int(bool(set(found.seen) - {200, 429, 503} or found.without_word))


if __name__ == "__main__":
    sys.exit(main())
