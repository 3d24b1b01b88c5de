"""A WebSocket client for tests, by wsproto: messages as JSON, and raw bytes where a test means to break something."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

PATH = "/v1/responses"
LAST = ("response.completed", "response.incomplete", "response.failed", "error")


class Closed(Exception):  # noqa: N818 - it names what was seen
    """The other side has closed, with this code; 1006 where it only went away."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Rejected(Exception):  # noqa: N818 - the same
    """There is no WebSocket; the answer of HTTP instead."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status, body)
        self.status = status
        self.error = json.loads(body).get("error", {}) if body else {}


class Socket:
    """One connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.extensions: list[Any] = []
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._events: deque[Any] = deque()

    async def shake_hands(self, host: str, path: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
        await self.stream.send_all(self._protocol.send(Request(host=host, target=path, extra_headers=list(headers))))
        event = await self._next()
        if isinstance(event, AcceptConnection):
            self.extensions = list(event.extensions)
            return
        assert isinstance(event, RejectConnection)
        status, body, more = event.status_code, b"", event.has_body
        while more:
            event = await self._next()
            assert isinstance(event, RejectData)
            body += event.data
            more = not event.body_finished
        raise Rejected(status, body)

    async def send(self, message: Any) -> None:
        """A message: a value as JSON, or a text or bytes as they are."""
        if isinstance(message, bytes):
            await self.stream.send_all(self._protocol.send(BytesMessage(data=message)))
        else:
            text = message if isinstance(message, str) else json.dumps(message)
            await self.stream.send_all(self._protocol.send(TextMessage(data=text)))

    async def send_part(self, text: str) -> None:
        """A part of a message that goes on."""
        await self.stream.send_all(self._protocol.send(TextMessage(data=text, message_finished=False)))

    async def create(self, **fields: Any) -> None:
        await self.send({"type": "response.create", **fields})

    async def receive(self) -> dict[str, Any]:
        """The next event. Raises Closed."""
        text = ""
        while True:
            event = await self._next()
            match event:
                case TextMessage():
                    text += event.data
                    if event.message_finished:
                        found: dict[str, Any] = json.loads(text)
                        return found
                case CloseConnection():
                    raise Closed(event.code)
                case Ping():
                    await self.stream.send_all(self._protocol.send(event.response()))

    async def answer(self) -> list[dict[str, Any]]:
        """All events up to the last of a response, or to an error."""
        seen = [await self.receive()]
        while seen[-1]["type"] not in LAST:
            seen.append(await self.receive())
        return seen

    async def ask(self, **fields: Any) -> dict[str, Any]:
        """The last event."""
        await self.create(**fields)
        return (await self.answer())[-1]

    async def ask_first(self, **fields: Any) -> dict[str, Any]:
        """The first event."""
        await self.create(**fields)
        return (await self.answer())[0]

    async def ping(self) -> bytes:
        await self.stream.send_all(self._protocol.send(Ping(payload=b"p")))
        while not isinstance(event := await self._next(), Pong):
            pass
        return bytes(event.payload)

    async def _next(self) -> Any:
        while not self._events:
            data = await self.stream.receive_some()
            if not data:
                raise Closed(1006)
            self._protocol.receive_data(data)
            self._events.extend(self._protocol.events())
        return self._events.popleft()


@asynccontextmanager
async def connected(
    port: int, *, path: str = PATH, host: str = "127.0.0.1", headers: Sequence[tuple[bytes, bytes]] = ()
) -> AsyncIterator[Socket]:
    """A connection that is open; Rejected where there is none."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        socket = Socket(stream)
        await socket.shake_hands(f"{host}:{port}", path, headers)
        yield socket
