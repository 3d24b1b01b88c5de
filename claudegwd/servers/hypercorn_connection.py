"""Hypercorn's connection as used by both servers, with fixes for what version 0.18 gets wrong with Quart-Trio."""

import trio
from hypercorn.events import Event, RawData, Updated
from hypercorn.trio.tcp_server import TCPServer

from claudegwd.servers.overriding import overriding

# Setting a timer or closing a socket takes no time; this only bounds the shield.
FOLLOW_UP_SECONDS = 1.0


@overriding("_read_data", "protocol_send")
class HypercornConnection(TCPServer):
    """Quart-Trio cancels a request's tasks once its response is sent, and Hypercorn runs its follow-up in them: without
    a shield, no idle timer is set, and connections stay open, whether "keep-alive" or "close". Nor does Hypercorn drop
    a connection whose client is gone before that timer expires."""

    _gone = False

    async def _read_data(self) -> None:
        await self.read()
        self._gone = True
        await self.idle_task.stop()

    async def read(self) -> None:
        """Pass on what arrives until the client has closed."""
        await super()._read_data()

    async def protocol_send(self, event: Event) -> None:
        """Send what the protocol says."""
        if isinstance(event, RawData):
            await self.write(event)
        elif not (self._gone and isinstance(event, Updated)):  # a response that ends now would set the timer again
            await self.follow_up(event)

    async def write(self, event: RawData) -> None:
        """Write bytes."""
        await super().protocol_send(event)

    async def follow_up(self, event: Event) -> None:
        """Do what follows a response."""
        with trio.move_on_after(FOLLOW_UP_SECONDS, shield=True):
            await super().protocol_send(event)
