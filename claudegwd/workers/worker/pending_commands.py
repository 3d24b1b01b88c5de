"""Commands to one CLI, and its replies to them."""

from collections.abc import Callable
from itertools import count
from typing import Any

import trio

from claudegwd.claude_cli import events as e


class PendingCommands:
    """`send` takes the bytes of a command. Each command has an id, which its reply carries."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self.send = send
        self._ids = count(1)
        self._open: dict[str, trio.Event] = {}

    def command(self, make: Callable[..., bytes], **arguments: Any) -> str:
        """Write a command; returns its id."""
        ident, line = self.expect(make, **arguments)
        self.send(line)
        return ident

    def expect(self, make: Callable[..., bytes], **arguments: Any) -> tuple[str, bytes]:
        """A command that the caller will write: its id and its line."""
        ident = f"gw{next(self._ids)}"
        self._open[ident] = trio.Event()
        return ident, make(ident, **arguments)

    def answered(self, body: e.CliResponseBody) -> None:
        """Call once the reply has been handled, to wake the task that waits for it."""
        reply = self._open.pop(body.request_id, None)
        if reply is not None:
            reply.set()

    async def answer(self, ident: str) -> None:
        """Wait until the command with this id is answered, or never will be."""
        reply = self._open.get(ident)
        if reply is not None:
            await reply.wait()

    def let_go(self) -> None:
        """There will be no more replies."""
        for reply in self._open.values():
            reply.set()
