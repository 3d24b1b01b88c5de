"""The scripted Anthropic endpoint: the upstream of the real CLI in demo mode and in every test.

It speaks plain HTTP/1.1 on loopback, answers according to its script and records the requests. One task serves each
connection; a second one, while an answer is running, watches for the client to disconnect.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

import h11
import trio

from claudegwd.demo import wire
from claudegwd.demo.connection import EndpointConnection
from claudegwd.demo.script import Answer, Drop, Fail, Hold, Pause, RecordedRequest, Script, Wait

# Enough for any test to look back on, small beside the bodies of a long benchmark.
REQUESTS_KEPT = 256
STRAYS_KEPT = 64
_JSON = "application/json"
_MESSAGES_PATH = "/v1/messages"
_CHARACTERS_PER_TOKEN = 4  # the usual rule of thumb; here only count_tokens needs it


class ScriptedEndpoint:
    """Serve a script as `POST /v1/messages`.

    An exception raised by the script ends the endpoint: a wrong script must be loud. `requests` holds the last
    REQUESTS_KEPT calls of the Messages API in order, `strays` the other calls as "METHOD path"; `count` is unlimited.
    `told` are the tokens of everything that was streamed, as far as the counts were sent.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: deque[RecordedRequest] = deque(maxlen=REQUESTS_KEPT)
        self.strays: deque[str] = deque(maxlen=STRAYS_KEPT)
        self.count = 0
        self.told: Counter[str] = Counter()
        self.connections = 0
        self.port = 0
        self.base_url = ""

    async def serve(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled. `await nursery.start(endpoint.serve)` gives base_url; port 0 takes a free one."""
        listeners = await trio.open_tcp_listeners(port, host=host)
        self.port = listeners[0].socket.getsockname()[1]
        self.base_url = f"http://{host}:{self.port}"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, self._serve_connection, listeners)
            task_status.started(self.base_url)

    async def _serve_connection(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        try:
            async with stream:
                await self._serve_requests(EndpointConnection(stream))
        finally:
            self.connections -= 1

    async def _serve_requests(self, connection: EndpointConnection) -> None:
        while (arrived := await connection.next_request()) is not None:
            head, body = arrived
            path = head.target.decode("latin-1")
            if head.method == b"POST" and path.partition("?")[0] == _MESSAGES_PATH:
                await self._serve_message(connection, await self._record(head, path, body))
            else:
                self.strays.append(f"{head.method.decode()} {path}")
                await _answer_stray(connection, head.method, path.partition("?")[0], body)
            if not connection.ready_for_next():
                return

    async def _record(self, head: h11.Request, path: str, body: bytes) -> RecordedRequest:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = token if scheme.lower() == "bearer" else headers.get("x-api-key")
        now = trio.current_time()
        request = RecordedRequest(head.method.decode(), path, headers, _object(body), key, now, trio.Event())
        self.requests.append(request)
        self.count += 1
        return request

    async def _serve_message(self, connection: EndpointConnection, request: RecordedRequest) -> None:
        answer = self.script(request)
        number = self.count
        gone = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.watch, gone, nursery.cancel_scope)
            try:
                await self._write(connection, request, answer, number)
            except trio.BrokenResourceError:
                gone.set()
            nursery.cancel_scope.cancel()
        if gone.is_set():
            request.disconnected.set()

    async def _write(
        self, connection: EndpointConnection, request: RecordedRequest, answer: Answer, number: int
    ) -> None:
        for hold in answer.before:
            if not await _held(hold):
                return
        names = {"model": request.model, "message_id": f"msg_{number:024d}"}
        headers = {**answer.headers, "request-id": f"req_{number:024d}"}
        if isinstance(answer, Fail):
            body = wire.error_body(answer, headers["request-id"])
            await connection.send_whole(answer.status, _JSON, body, headers)
        elif request.body.get("stream") is True:
            await connection.send_head(200, {"content-type": "text/event-stream; charset=utf-8", **headers})
            await self._stream(connection, wire.stream_frames(answer, **names))
        else:
            await connection.send_whole(200, _JSON, wire.whole_message(answer, **names), headers)

    async def _stream(self, connection: EndpointConnection, frames: Iterator[wire.Frame]) -> None:
        told: Counter[str] = Counter()
        for frame in frames:
            if isinstance(frame, bytes):
                await connection.send_piece(frame)
                # The counts at a message's end are for all of it.
                counts = wire.counts_in(frame)
                self.told.update(counts)
                self.told.subtract(told if counts else {})
                told = Counter(counts) or told
            elif not await _held(frame):
                return  # without the end of the body, the connection cannot be reused, and is closed
        await connection.send_end()


async def _held(hold: Hold) -> bool:
    """Wait as told; False if the connection is to be cut."""
    match hold:
        case Pause(seconds):
            await trio.sleep(seconds)
        case Wait(signal):
            await signal.wait()
        case Drop():
            return False
    return True


async def _answer_stray(connection: EndpointConnection, method: bytes, path: str, body: bytes) -> None:
    """Other requests of the CLI: it starts with HEAD /, and may want tokens counted."""
    try:
        if method == b"HEAD" and path == "/":
            await connection.send_whole(200, "text/plain", b"", {})
        elif method == b"POST" and path == f"{_MESSAGES_PATH}/count_tokens":
            count = b'{"input_tokens":%d}' % (-(-len(body) // _CHARACTERS_PER_TOKEN))
            await connection.send_whole(200, _JSON, count, {})
        else:
            missing = Fail(404, "not_found_error", "Not found", body=b"" if method == b"HEAD" else None)
            await connection.send_whole(404, _JSON, wire.error_body(missing, "req_none"), {})
    except trio.BrokenResourceError:
        return


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)  # not msgspec: the CLI may send lone surrogates as escapes, which json keeps
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
