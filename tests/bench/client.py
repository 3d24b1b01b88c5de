"""A lean HTTP/1.1 client that notes when each piece arrived. Parsing waits until the answer is whole."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

READ_BYTES = 65536


class Cut(Exception):  # noqa: N818 - a fact, which the caller judges
    """The server closed the connection before the answer was whole."""


@dataclass(slots=True)
class Answer:
    """One answer. Times are time.monotonic_ns(): sent, and of each SSE event or of the whole body."""

    status: int
    headers: dict[str, str]
    sent: int
    events: list[tuple[int, bytes]] = field(default_factory=list)
    body: bytes = b""
    ended: int = 0

    @property
    def how(self) -> str:
        """How the gateway says it had the worker."""
        return self.headers.get("x-claudegw-worker", "")

    @property
    def total(self) -> float:
        return (self.ended - self.sent) / 1e9

    def deltas(self) -> list[tuple[int, str]]:
        """Arrival and text of each content delta that is not empty."""
        found = []
        for at, data in self.events:
            if data.startswith(b"{"):
                choices = json.loads(data).get("choices") or [{}]
                text = choices[0].get("delta", {}).get("content")
                if text:
                    found.append((at, text))
        return found

    @property
    def first_token(self) -> float:
        """Seconds from the request to the first text; nan when there was none."""
        deltas = self.deltas()
        return (deltas[0][0] - self.sent) / 1e9 if deltas else float("nan")

    @property
    def text(self) -> str:
        if self.events:
            return "".join(text for _, text in self.deltas())
        return str(self.json()["choices"][0]["message"]["content"])

    @property
    def model(self) -> str:
        return str(json.loads(self.events[0][1] if self.events else self.body).get("model", ""))

    @property
    def complete(self) -> bool:
        """A 200 that is whole and holds no error."""
        if self.status != 200:
            return False
        if not self.events:
            return bool(self.body)
        return self.events[-1][1] == b"[DONE]" and not any(data.startswith(b'{"error"') for _, data in self.events)

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One keep-alive connection; one request at a time."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._arrived = 0

    @classmethod
    async def tcp(cls, port: int) -> Client:
        return cls(await trio.open_tcp_stream("127.0.0.1", port))

    @classmethod
    async def unix(cls, path: Path) -> Client:
        return cls(await trio.open_unix_socket(str(path)))

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self._stream)

    async def chat(self, messages: list[dict[str, Any]], *, model: str, stream: bool = True, **more: Any) -> Answer:
        body = {"model": model, "messages": messages, "stream": stream, **more}
        return await self.request("POST", "/v1/chat/completions", body)

    async def request(self, method: str, path: str, body: Any = None) -> Answer:
        answer = await self.begin(method, path, body)
        async for _ in self.read(answer):
            pass
        return answer

    async def begin(self, method: str, path: str, body: Any = None) -> Answer:
        """Send the request and read the answer's head."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(content)}\r\n"
        sent = time.monotonic_ns()
        try:
            await self._stream.send_all(f"{head}content-type: application/json\r\n\r\n".encode() + content)
        except trio.BrokenResourceError as error:
            raise Cut from error
        first, *rest = (await self._until(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in rest if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        return Answer(int(first.split(" ")[1]), headers, sent)

    async def read(self, answer: Answer) -> AsyncIterator[None]:
        """Read the rest into the answer; yields after each piece, so that the caller may stop in the middle."""
        sse = answer.headers.get("content-type", "").startswith("text/event-stream")
        rest = b""
        async for piece in self._pieces(answer.headers):
            if not sse:
                answer.body += piece
                continue
            *blocks, rest = (rest + piece).split(b"\n\n")
            answer.events += [(self._arrived, block[6:]) for block in blocks if block.startswith(b"data: ")]
            yield
        answer.ended = self._arrived

    async def _pieces(self, headers: dict[str, str]) -> AsyncIterator[bytes]:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            yield await self._exactly(int(headers.get("content-length", "0")))
            return
        while size := int(await self._until(b"\r\n"), 16):
            yield (await self._exactly(size + 2))[:-2]
        await self._until(b"\r\n")

    async def _until(self, mark: bytes) -> bytes:
        while (end := self._buffer.find(mark)) < 0:
            await self._more()
        found = bytes(self._buffer[:end])
        del self._buffer[: end + len(mark)]
        return found

    async def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            await self._more()
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found

    async def _more(self) -> None:
        try:
            data = await self._stream.receive_some(READ_BYTES)
        except trio.BrokenResourceError as error:
            raise Cut from error
        self._arrived = time.monotonic_ns()
        if not data:
            raise Cut
        self._buffer += data
