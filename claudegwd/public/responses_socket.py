"""GET /v1/responses as a WebSocket: each message from the client is a request, each message to it an event.

Access checks, and the way a response is created, are the same as for HTTP. Requests with the same `stream_id` (and
those without one) are answered one at a time, others concurrently. A response that is not to be stored is kept as long
as the connection is open, so that `previous_response_id` works without a history.
"""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from secrets import token_hex
from typing import Any

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, WebsocketScope
from werkzeug.datastructures import Headers

from claudegwd.gateway.gateway import Gateway
from claudegwd.limits.clients import Client
from claudegwd.logs import event as log_event
from claudegwd.logs import log, log_content
from claudegwd.openai_api.bounds import BOUNDS
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import BodyTooLarge, GatewayError, InternalError, RateLimitExceeded
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.responses.messages import (
    Create,
    error_message,
    event_messages,
    read_create,
    read_message,
    read_steer,
    steer_failed_message,
)
from claudegwd.openai_api.responses.request import read_responses_request
from claudegwd.public import access
from claudegwd.public.call import Call, Record, ending, over
from claudegwd.public.earlier import with_earlier
from claudegwd.public.requests import Application, request_id
from claudegwd.public.reserving import reserve_nothing
from claudegwd.public.response_making import ResponseMaking
from claudegwd.store.responses import UNSTORED

ROUTE = "/v1/responses"
METHOD = "WEBSOCKET"
# Open sockets of one client: an agent has one, a highly concurrent program some hundreds. Each takes some 40 kB.
MAX_SOCKETS = 512
MAX_STREAMS = 16  # stream ids of one connection that are served concurrently: more than there are workers
MAX_WAITING = 16  # requests of one stream that wait for earlier ones
RECONNECT = 1012  # "service restart": the official clients reconnect


class ResponsesSocket:
    """One connection, from its handshake to its end."""

    def __init__(self, app: Application, scope: WebsocketScope) -> None:
        self._gateway: Gateway = app.gateway
        self._headers = Headers([(name.decode("latin1"), value.decode("latin1")) for name, value in scope["headers"]])
        self._address = access.address_of(self._gateway, scope, self._headers)
        self._client: Client
        self._ident = f"{UNSTORED}{token_hex(12)}"  # owner of responses that are not to be stored
        self._send: ASGISendCallable
        self._writing = trio.Lock()
        self._streams: dict[str | None, trio.MemorySendChannel[Create]] = {}
        self._running: dict[str, str | None] = {}  # responses that are being answered, and their streams
        self._busy = 0
        self._waiting_bytes = 0  # of the requests that wait for earlier ones
        self._rested = trio.Event()

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        self._send = send
        await receive()  # the connect event
        with ExitStack() as stack:
            try:
                self._enter(stack)
            except GatewayError as error:
                self._gateway.counts.refused(error)
                await self._refuse(error)
                return
            await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._until_drained, nursery)
                await self._read(receive, nursery)
                nursery.cancel_scope.cancel()

    def _enter(self, stack: ExitStack) -> None:
        """The access checks, in the same order as for a request."""
        gateway = self._gateway
        access.check_host(gateway, self._headers.get("host", ""))
        access.check_origin(gateway, self._headers.get("origin"))
        self._client = access.authenticate(gateway, self._headers)
        owner = self._client.owner
        if gateway.counts.sockets[owner] >= MAX_SOCKETS:
            raise RateLimitExceeded(
                f"cannot open another WebSocket: this client has {MAX_SOCKETS}; close one", code="too_many_connections"
            )
        gateway.counts.sockets[owner] += 1
        stack.callback(self._leave, owner)
        stack.callback(gateway.responses.kept.forget, self._ident)

    def _leave(self, owner: str) -> None:
        self._gateway.counts.sockets[owner] -= 1
        if not self._gateway.counts.sockets[owner]:
            del self._gateway.counts.sockets[owner]

    async def _refuse(self, error: GatewayError) -> None:
        """Refuse the handshake, as a request would be refused that has no right to ask."""
        record = Record(request_id(self._headers), METHOD, ROUTE, trio.current_time(), status=error.status)
        record.code, record.address = error.code, self._address
        over(self._gateway, record)
        body = error.body()
        headers = {"content-type": "application/json", "content-length": str(len(body)), **told_by(record)}
        headers |= error.headers()
        await self._send(
            {
                "type": "websocket.http.response.start",
                "status": error.status,
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
        )
        await self._send({"type": "websocket.http.response.body", "body": body, "more_body": False})

    async def _read(self, receive: ASGIReceiveCallable, nursery: trio.Nursery) -> None:
        """Take messages until the client leaves. Never waits for an answer, so that this is noticed at once."""
        while True:
            event: Mapping[str, Any] = await receive()
            if event["type"] != "websocket.receive":
                return
            stream_id = None
            try:
                message = read_message(event["text"], BOUNDS)
                stream_id = message.stream_id  # who waits on this stream has to hear of an error
                if (steer := read_steer(message, BOUNDS)) is not None:
                    await self._write(steer_failed_message(steer, self._running.get(steer.target)))
                    continue
                self._hand_over(read_create(message, BOUNDS), nursery)
            except GatewayError as error:
                self._gateway.counts.refused(error)
                await self._write(error_message(error, stream_id))

    def _hand_over(self, create: Create, nursery: trio.Nursery) -> None:
        most = self._gateway.config.server.max_body_bytes
        if self._waiting_bytes and self._waiting_bytes + create.size > most:
            raise RateLimitExceeded(
                f"cannot accept another request: those that wait on this connection have {self._waiting_bytes} bytes, "
                f"and may have {most} together with it; wait for an answer"
            )
        stream = self._streams.get(create.stream_id)
        if stream is None:
            if len(self._streams) >= MAX_STREAMS:
                raise RateLimitExceeded(
                    f"cannot start another stream: {MAX_STREAMS} are running on this connection; wait for one to end",
                    param="stream_id",
                )
            stream, requests = trio.open_memory_channel[Create](MAX_WAITING)
            self._streams[create.stream_id] = stream
            nursery.start_soon(self._answer_all, create.stream_id, requests)
        try:
            stream.send_nowait(create)
        except trio.WouldBlock:
            raise RateLimitExceeded(
                f"cannot accept another request: {MAX_WAITING} are waiting on this stream; wait for an answer"
            ) from None
        self._busy += 1
        self._waiting_bytes += create.size

    async def _answer_all(self, stream_id: str | None, requests: trio.MemoryReceiveChannel[Create]) -> None:
        """Answer a stream's requests until none waits: a client may use a new id for each of them."""
        with requests:
            async for create in requests:
                self._waiting_bytes -= create.size
                try:
                    await self._answer(create)
                finally:
                    self._busy -= 1
                    if not self._busy:
                        self._rested.set()
                        self._rested = trio.Event()
                if not requests.statistics().current_buffer_used:
                    break
            del self._streams[stream_id]  # nothing waits after the check, so nothing can have been added to it

    async def _answer(self, create: Create) -> None:
        gateway = self._gateway
        record = Record(request_id(Headers()), METHOD, ROUTE, trio.current_time(), client=self._client.name, asks=True)
        record.address = self._address
        with ending() as stack:
            stack.callback(over, gateway, record)
            stack.callback(gateway.counts.begin())
            try:
                await self._make(create, record, stack)
                record.status = 200
            except GatewayError as error:
                gateway.counts.refused(error)
                record.status, record.code = error.status, error.code
                await self._write(error_message(error, create.stream_id, told_by(record)))
            except Exception as error:  # noqa: BLE001 - the boundary of a request: the connection continues
                log_event(
                    log, logging.ERROR, "a request failed unexpectedly", cause=error, request_id=record.request_id
                )
                record.status = InternalError.status
                told = InternalError("cannot answer: internal error; search the gateway's log for the request id")
                await self._write(error_message(told, create.stream_id, told_by(record)))

    async def _make(self, create: Create, record: Record, stack: ExitStack) -> None:
        gateway, now = self._gateway, trio.current_time()
        client = access.authenticate(gateway, self._headers)  # its key may have been revoked since
        admission = await access.admit(gateway, client, asks=True)
        if gateway.config.log.content:
            log_content("asked", encode(create.fields), record.request_id)
        most = gateway.config.server.max_body_bytes
        if create.size > most:  # frames are counted in characters
            raise BodyTooLarge(f"cannot accept a message of more than {most} bytes, which is server.max_body_bytes")
        wanted = await with_earlier(
            gateway,
            client.owner,
            create.size,
            lambda earlier: read_responses_request(Fields(create.fields), BOUNDS, earlier),
            self._ident,
        )
        call = Call(gateway, record, stack, client, admission, now)
        making = ResponseMaking(call, wanted, unstored=self._ident)
        if not create.generate:
            await reserve_nothing(call)
            await self._tell(create.stream_id, b"".join(await making.nothing()), told_by(record) | making.headers())
            return
        await making.ask()
        with making.told():
            await making.reply.begun()
        headers = told_by(record) | access.limit_headers(gateway, client) | making.headers(making.reply.head)
        self._running[making.ident] = create.stream_id
        stack.callback(self._running.pop, making.ident)
        async for written in making.reply.events(*making.opened(making.reply.model)):
            await self._tell(create.stream_id, written, headers)
            headers = {}

    async def _tell(self, stream_id: str | None, written: bytes, headers: Mapping[str, str]) -> None:
        for message in event_messages(written, stream_id, headers):
            await self._write(message)

    async def _write(self, message: bytes) -> None:
        async with self._writing:
            await self._send({"type": "websocket.send", "bytes": None, "text": message.decode("utf-8", "replace")})

    async def _until_drained(self, nursery: trio.Nursery) -> None:
        """Before a restart: answer what has been asked, then send the client to the next daemon."""
        await self._gateway.life.draining.wait()
        while self._busy:
            await self._rested.wait()
        async with self._writing:
            await self._send({"type": "websocket.close", "code": RECONNECT, "reason": "the gateway is restarting"})
        nursery.cancel_scope.cancel()


def told_by(record: Record) -> dict[str, str]:
    """The id that identifies a request in the log."""
    return {"x-request-id": record.request_id}
