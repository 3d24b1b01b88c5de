"""A WebSocket before anything is asked. What is said on it: tests/e2e/test_websocket.py."""

from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace
from typing import Any

import trio

from claudegwd.public.responses_socket import MAX_SOCKETS, ResponsesSocket
from tests.claudegwd.public.test_app import gateway

SCOPE: Any = {"headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1)}


async def opened(at: Any) -> list[dict[str, Any]]:
    """What a client is sent that connects and goes again."""
    sent: list[dict[str, Any]] = []
    events = iter(({"type": "websocket.connect"}, {"type": "websocket.disconnect"}))

    async def receive() -> Any:
        return next(events)

    async def send(event: Any) -> None:
        sent.append(event)

    with trio.fail_after(5):
        await ResponsesSocket(SimpleNamespace(gateway=at), SCOPE)(receive, send)  # type: ignore[arg-type]
    return sent


async def test_a_client_has_so_many_connections_and_no_more() -> None:
    at = gateway()
    at.counts.sockets = Counter({"": MAX_SOCKETS - 1})
    at.responses = SimpleNamespace(kept=SimpleNamespace(forget=lambda _: None))
    at.life.draining = trio.Event()
    assert [event["type"] for event in await opened(at)] == ["websocket.accept"]
    assert at.counts.sockets[""] == MAX_SOCKETS - 1  # it has left
    at.counts.sockets[""] += 1
    start, body = await opened(at)
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 429)
    assert json.loads(body["body"])["error"]["code"] == "too_many_connections"
    assert at.counts.sockets[""] == MAX_SOCKETS
