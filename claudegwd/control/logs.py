"""GET /v1/logs?lines=N&follow=0|1&level=L: the last records, and with follow also new ones, one JSON object per line.

since=SECONDS (since the epoch), request=ID, key=NAME and client=NAME select records.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final

from claudegwd.control.controllable import Controls
from claudegwd.control.request import ControlRequest, ControlStream
from claudegwd.logs import LEVELS, LogEntry, LogRing
from claudegwd.logs.formats import json_line
from claudegwd.logs.ring import RING_RECORDS

DEFAULT_LINES: Final = 50
# Seconds since the epoch. Nine digits end in 2001; ten last until 2286.
MAX_TIME: Final = 9_999_999_999


# A record's fields, by their names in the query.
FIELDS: Final = {"request": "request_id", "key": "key", "client": "client"}

WantedCall = Callable[[LogEntry], bool]


async def read(controls: Controls, request: ControlRequest) -> ControlStream:
    lines = request.number("lines", DEFAULT_LINES, RING_RECORDS)
    level = request.choice("level", "debug", LEVELS)
    wanted = _wanted(request)
    if request.flag("follow"):
        return ControlStream(_follow(controls.gateway.logs, lines, level, wanted))
    return ControlStream(_tail(controls.gateway.logs, lines, level, wanted))


def _wanted(request: ControlRequest) -> WantedCall:
    since = request.number("since", 0, MAX_TIME)
    fields = {field: request.query[name] for name, field in FIELDS.items() if name in request.query}

    def wanted(entry: LogEntry) -> bool:
        found = {name: entry.fields.get(name) for name in fields}
        return entry.time >= since and all(
            found[name] is not None and str(found[name]) == value for name, value in fields.items()
        )

    return wanted


async def _tail(ring: LogRing, lines: int, level: str, wanted: WantedCall) -> AsyncIterator[bytes]:
    for entry in _last(ring, lines, level, wanted):
        yield _line(entry)


async def _follow(ring: LogRing, lines: int, level: str, wanted: WantedCall) -> AsyncIterator[bytes]:
    with ring.follow(level) as follower:
        # Taken at once: a record logged while these are sent is the follower's, and must not be repeated.
        for entry in _last(ring, lines, level, wanted):
            yield _line(entry)
        async for entry in follower:
            if wanted(entry):
                yield _line(entry)


def _last(ring: LogRing, lines: int, level: str, wanted: WantedCall) -> list[LogEntry]:
    found = [entry for entry in ring.tail(RING_RECORDS, level) if wanted(entry)]
    return found[-lines:] if lines else []


def _line(entry: LogEntry) -> bytes:
    return json_line(entry).encode() + b"\n"
