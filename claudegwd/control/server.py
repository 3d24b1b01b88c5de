"""Serves the control API: Hypercorn's connections on a socket that is already open.

Hypercorn's own `serve` hides the accepted socket, and therefore the peer, and does not return while a client has
stopped reading. So this module uses its connection class, but accepts and ends connections itself.
"""

from __future__ import annotations

import logging
import socket
from functools import partial
from typing import Any, Final, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from quart_trio import QuartTrio

from claudegwd.control.peer import peer_of
from claudegwd.logs import event, log
from claudegwd.servers.hypercorn_connection import HypercornConnection

# Responses take milliseconds, except for testing a key; followers of the log are cut off.
GRACE_SECONDS: Final = 2.0
KEEP_ALIVE_SECONDS: Final = 60  # for idle connections; clients on this machine connect again at no cost


async def serve_control(
    app: QuartTrio,
    listener: socket.socket,
    *,
    shutdown: trio.Event,
    grace: float = GRACE_SECONDS,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` on a listening Unix socket until `shutdown`; then at most `grace` seconds more, whatever the clients
    do; when cancelled, stop at once. The caller closes the socket. Started once connections are accepted."""
    server = _Server(app)
    async with trio.open_nursery() as connections:
        try:
            async with trio.open_nursery() as accepting:
                # A duplicate: trio closes what it serves, but the socket and its path belong to the caller.
                mine = trio.SocketListener(trio.socket.from_stdlib_socket(listener.dup()))
                serve = partial(trio.serve_listeners, server.connection, [mine], handler_nursery=connections)
                accepting.start_soon(serve)
                task_status.started()
                await shutdown.wait()
                accepting.cancel_scope.cancel()
            with trio.move_on_after(grace):
                await server.finish()
        finally:
            # Also if this task is cancelled, as that alone would not end a write.
            server.cut_off()
            connections.cancel_scope.cancel()


class _Server:
    def __init__(self, app: QuartTrio) -> None:
        self._app = ASGIWrapper(cast(Any, app))
        self._context = WorkerContext(None)
        self._streams: set[trio.SocketStream] = set()
        self._empty = trio.Event()
        self._config = Config()
        self._config.accesslog = None
        self._config.errorlog = logging.getLogger("claudegwd.control")
        self._config.include_server_header = False
        self._config.keep_alive_timeout = KEEP_ALIVE_SECONDS

    async def connection(self, stream: trio.SocketStream) -> None:
        self._streams.add(stream)
        try:
            # ASGI's "state" is per connection and reaches every request's scope.
            state = ConnectionState(cast(Any, {"peer": peer_of(stream.socket)}))
            await HypercornConnection(self._app, self._config, self._context, cast(Any, state), cast(Any, stream)).run()
        except Exception as error:  # noqa: BLE001 - the boundary of a connection: the others continue
            event(log, logging.ERROR, "a control connection failed unexpectedly", cause=error)
        finally:
            self._streams.discard(stream)
            if not self._streams:
                self._empty.set()

    async def finish(self) -> None:
        """Idle connections end at once, the others after their request."""
        await self._context.terminated.set()
        while self._streams:
            self._empty = trio.Event()
            await self._empty.wait()

    def cut_off(self) -> None:
        """Hypercorn shields its writes: one to a client that has stopped reading ends only with the socket."""
        for stream in list(self._streams):
            stream.socket.close()
