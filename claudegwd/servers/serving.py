"""Serves an ASGI application on open sockets with Hypercorn's connections, and stops without waiting for clients.

Hypercorn's own `serve` waits for a connection whose client has stopped reading, because it shields its writes. So this
module accepts connections itself, and closes those that are still open when the time is over.
"""

import errno
import logging
import os
import socket
import sys
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config as HypercornConfig
from hypercorn.events import Closed, Event, RawData
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState, LifespanState

from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.servers.http1 import MAX_HEAD_BYTES, Http1
from claudegwd.servers.hypercorn_connection import HypercornConnection

# For idle keep-alive connections, and ones that have not sent a complete request head: longer than the idle time of
# common clients (5 to 60 s), so that the client closes first and no request meets a closing connection.
KEEP_ALIVE_SECONDS = 65
# Each takes some 20 kB; beyond this, new connections are closed at once, and open ones continue.
MAX_CONNECTIONS = 4096
MAX_MESSAGE_BYTES = 32 * 1024 * 1024  # the default maximum of a body
# Less than the 30 to 60 s after which proxies consider a silent connection dead.
PING_SECONDS = 20.0
# Reserved from the process's descriptor limit: for the control socket, the state file, the log and listeners; and for
# each worker's three pipes, with both ends while it starts, and some to spare.
KEPT_BACK = 32
KEPT_BACK_EACH = 6
ACCEPT_MAX = 64  # per round of the event loop: a few milliseconds of work before streams continue
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
# Most requests fit into the first; for larger ones, the second means fewer reads. A read allocates its full size and
# gives back what it did not need: with 64 kB each time, small objects that stay allocated fragment the heap.
READ_BYTES = 8 * 1024
BODY_READ_BYTES = 64 * 1024
# A client that reads nothing for this long is disconnected: a minute later than its CLI stops waiting for it
# (UNREAD_SECONDS), so that an unread answer is reported as such.
WRITE_SECONDS = 240.0
WRITTEN_BYTES = 64 * 1024  # per write, each with its own timeout: on a slow line, a large body takes long
# A written response leaves our side of the socket at once; this is for the last events of streams that just ended.
FLUSH_SECONDS = 0.1
# At a restart: how long an idle connection stays open for a request that is on its way. A client that sends requests in
# a row gets its next response, and with it the notice to reconnect; a slower one most likely sends nothing now.
LINGER_SECONDS = 1.0


def connections_within(descriptors: int, workers: int) -> int:
    """How many connections may be open in a process with this many descriptors, leaving enough for everything else."""
    return max(1, min(MAX_CONNECTIONS, descriptors - KEPT_BACK - KEPT_BACK_EACH * workers))


class Server:
    """Serves until told to stop. Counts requests rather than connections, so that idle ones do not delay it."""

    def __init__(
        self,
        app: Any,
        listeners: Sequence[socket.socket],
        urgent: Collection[str] = (),
        connections: int = MAX_CONNECTIONS,
        message_bytes: Callable[[], int] = lambda: MAX_MESSAGE_BYTES,
    ) -> None:
        """`urgent`: paths whose requests overtake those waiting to begin; `connections`: how many may be open;
        `message_bytes`: how large a WebSocket message may be, on new connections."""
        self._app = app
        self._urgent = frozenset(urgent)
        self._turnstile = trio.Lock()
        self._max = connections
        self._listeners = [_Listener(sock, self._room) for sock in listeners]
        self._config = HypercornConfig()
        self._config.include_server_header = False
        self._config.keep_alive_timeout = KEEP_ALIVE_SECONDS
        # Hypercorn's own bound of 1000 requests would needlessly cut a busy client's connection now and then.
        self._config.keep_alive_max_requests = sys.maxsize
        self._config.h11_max_incomplete_size = MAX_HEAD_BYTES
        self._config.alpn_protocols = ["http/1.1"]
        self._message_bytes = message_bytes
        self._config.websocket_ping_interval = PING_SECONDS
        self._config.accesslog = None
        self._config.errorlog = None
        self._context = WorkerContext(None)
        self._accepting = trio.CancelScope()
        self._connections = trio.CancelScope()
        self._patience = trio.CancelScope()
        self._open: set[trio.SocketStream] = set()
        self._requests = 0
        self._ended = trio.Event()

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Accept until `stop`; returns when the last connection has ended."""
        with self._connections:
            async with trio.open_nursery() as connections:
                with self._accepting:
                    await trio.serve_listeners(
                        self._connection,
                        self._listeners,
                        handler_nursery=connections,
                        task_status=_Started(task_status),
                    )

    async def stop(self, seconds: float, *, kept: bool = False) -> None:
        """Wait at most `seconds` for running requests, each the last on its connection; then close what is left.

        `kept`: the listeners are also held open elsewhere, so new connections wait there for the next daemon, and
        requests on open ones are still answered. Otherwise new ones are accepted while answers are running, so that the
        application can refuse them with an error.
        """
        self._config.keep_alive_max_requests = 0  # every answer says "connection: close"
        self._patience.deadline = trio.current_time() + seconds
        with self._patience:
            if kept:
                self._accepting.cancel()
                with trio.move_on_after(LINGER_SECONDS):
                    while self._open:
                        await self._next_end()
            else:
                await self._all_answered()
                self._accepting.cancel()
            await self._context.terminated.set()  # idle connections end
            await self._all_answered()
            await trio.sleep(FLUSH_SECONDS)
        self._connections.cancel()
        for stream in list(self._open):
            stream.socket.close()  # also ends a write to a client that does not read, which Hypercorn shields

    def hurry(self) -> None:
        """End the wait of `stop` now."""
        self._patience.cancel()

    async def _all_answered(self) -> None:
        while self._requests:
            await self._next_end()

    async def _next_end(self) -> None:
        """Until a request or a connection ends."""
        self._ended = trio.Event()
        await self._ended.wait()

    def _room(self) -> int:
        return max(0, self._max - len(self._open))

    async def _request(self, scope: Any, receive: Any, send: Any) -> None:
        self._requests += 1
        try:
            if scope["path"] not in self._urgent:
                # The lock is held for one round of the event loop, so one request begins in each, in order of arrival.
                # If all that arrive at once began together, that round would last as long as all of them.
                async with self._turnstile:
                    pass
            await self._app(scope, receive, send)
        except Exception as error:
            # The boundary of an answer. Hypercorn ends it, but does not report why.
            log_event(log, logging.ERROR, "an answer failed unexpectedly", cause=error)
            raise
        finally:
            self._requests -= 1
            self._ended.set()

    async def _connection(self, stream: trio.SocketStream) -> None:
        if not self._room():
            await trio.aclose_forcefully(stream)
            return
        self._open.add(stream)
        self._config.websocket_max_message_size = self._message_bytes()
        try:
            state = ConnectionState(LifespanState({}))
            await _Connection(ASGIWrapper(self._request), self._config, self._context, state, stream)  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 - the boundary of a connection: the others continue
            log_event(log, logging.ERROR, "a connection failed unexpectedly", cause=error)
        finally:
            self._open.discard(stream)
            self._ended.set()


class _Connection(HypercornConnection):
    """Makes fewer system calls, which are most of what a small answer costs.

    The head of a response is sent with what follows it, and what the socket takes at once is written without the lock
    and the cancel scope of the slow path.
    """

    _head = b""

    async def read(self) -> None:
        made = self.protocol
        self.protocol = Http1(  # type: ignore[assignment]  # replaces Hypercorn's, which switches to other protocols
            made.app, made.config, made.context, made.task_group, made.state, made.ssl, made.client, made.server,
            made.send,
        )  # fmt: skip
        size = READ_BYTES
        with suppress(trio.ClosedResourceError, trio.BrokenResourceError):
            while data := await self.stream.receive_some(size):
                await self.protocol.handle(RawData(data=bytes(data)))
                size = BODY_READ_BYTES if len(data) == size else READ_BYTES
            await self.protocol.handle(RawData(data=b""))
        await self.protocol.handle(Closed())

    async def write(self, event: RawData) -> None:
        data = self._head + event.data
        self._head = b""
        if event.data.startswith(b"HTTP/1.1 ") and not event.data.startswith(b"HTTP/1.1 1"):
            self._head = data  # a body, an empty piece or the end of the response follows at once
        elif data and not self._write_now(data):
            await self._write_in_time(data[self._written :])

    async def follow_up(self, event: Event) -> None:
        if self._head:
            await self.write(RawData(data=b""))
        await super().follow_up(event)

    async def _write_in_time(self, data: bytes) -> None:
        """Write as the client reads. Shielded: after a partial write, nothing could follow."""
        async with self.send_lock:
            try:
                for start in range(0, len(data), WRITTEN_BYTES):
                    with trio.move_on_after(WRITE_SECONDS, shield=True) as patience:
                        await self.stream.send_all(data[start : start + WRITTEN_BYTES])
                    if patience.cancelled_caught:
                        await trio.aclose_forcefully(self.stream)  # this also ends reading, and the request
                        break
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                await self.protocol.handle(Closed())

    def _write_now(self, data: bytes) -> bool:
        """Write what the socket takes; returns whether that was all. `_written` says how much."""
        self._written = 0
        if not self.send_lock.locked():
            try:
                self._written = os.write(self.stream.socket.fileno(), data)
            except OSError:
                return False  # it is full or closed: the slow path waits or finds out
        return self._written == len(data)


class _Listener(trio.abc.Listener[trio.SocketStream]):
    """Accepts all waiting connections at once. Trio's own accepts one per round of the event loop; under load, when
    rounds are long, that is a few dozen per second, and requests for /livez waited for seconds."""

    def __init__(self, sock: socket.socket, room: Callable[[], int]) -> None:
        sock.settimeout(0)
        self._room = room
        self._socket = sock
        self._taken: deque[socket.socket] = deque()

    async def accept(self) -> trio.SocketStream:
        while not self._taken:  # no checkpoint until it is empty: cancellation loses no connection
            await trio.lowlevel.wait_readable(self._socket)
            self._take()
        return trio.SocketStream(trio.socket.from_stdlib_socket(self._taken.popleft()))

    def _take(self) -> None:
        for _ in range(ACCEPT_MAX):
            try:
                taken = self._socket.accept()[0]
            except OSError as error:
                if error.errno in _NO_ROOM and not self._taken:
                    raise  # trio waits a moment and tries again
                return  # none is left, or one is already gone: the next round sees the others
            if len(self._taken) < self._room():
                self._taken.append(taken)
            else:
                taken.close()

    async def aclose(self) -> None:
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()
        await trio.lowlevel.checkpoint()


class _Started(trio.TaskStatus[list[Any]]):
    """Reports started without the listeners, which the caller already has."""

    def __init__(self, outer: trio.TaskStatus[None]) -> None:
        self._outer = outer

    def started(self, value: object = None) -> None:  # noqa: ARG002 - trio's signature
        self._outer.started()
