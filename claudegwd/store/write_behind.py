"""Writes what requests have noted in the background: a moment later, and when the daemon stops."""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

RETRY_SECONDS: Final = 10.0  # a full or unplugged disk stays that way for a while
LAST_WRITE_SECONDS: Final = 2.0  # how long shutdown may wait for a disk that hangs


async def write_behind(
    changed: Callable[[], trio.Event],
    flush: Callable[[], Awaitable[bool]],
    pause: float = 0.0,
    last: float = LAST_WRITE_SECONDS,
) -> None:
    """Keep writing what is noted, `pause` seconds after the first note; a last time when cancelled.

    `changed` returns the event that the next note sets. `flush` writes what is noted, and returns whether it did;
    it keeps what it could not write, also if cancelled before it began. `last` bounds the last write.
    """
    try:
        while True:
            await changed().wait()
            await trio.sleep(pause)
            if not await flush():
                await trio.sleep(RETRY_SECONDS)
    finally:
        with trio.move_on_after(last, shield=True):
            await flush()
