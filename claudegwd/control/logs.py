"""GET /v1/logs?lines=N&follow=0|1&level=L: the last records, and with follow those to come, one JSON object a line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from claudegwd.control.ask import Ask, Lines
from claudegwd.control.gateway_protocol import Gateway
from claudegwd.logs import LEVELS, Entry, LogRing
from claudegwd.logs.formats import json_line
from claudegwd.logs.ring import RING_RECORDS

DEFAULT_LINES: Final = 50


async def read(gateway: Gateway, ask: Ask) -> Lines:
    lines = ask.number("lines", DEFAULT_LINES, RING_RECORDS)
    level = ask.choice("level", "debug", LEVELS)
    return Lines(_follow(gateway.logs, lines, level) if ask.flag("follow") else _tail(gateway.logs, lines, level))


async def _tail(ring: LogRing, lines: int, level: str) -> AsyncIterator[bytes]:
    for entry in ring.tail(lines, level):
        yield _line(entry)


async def _follow(ring: LogRing, lines: int, level: str) -> AsyncIterator[bytes]:
    with ring.follow(level) as follower:
        # Taken at once: a record logged while these are sent is the follower's, and must not come twice.
        for entry in ring.tail(lines, level):
            yield _line(entry)
        async for entry in follower:
            yield _line(entry)


def _line(entry: Entry) -> bytes:
    return json_line(entry).encode() + b"\n"
