"""A request to the control API, and a handler's response, as values. Handlers see nothing else of HTTP."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from claudegwd.control.controllable import Controls
from claudegwd.control.peer import Peer
from claudegwd.control.problems import BadRequest
from claudegwd.logs import event, log
from claudegwd.logs.event import Value

_FLAGS: Final = {"1": True, "true": True, "0": False, "false": False}


# Records a change: uid and pid of who made it, what it was, and its fields.
Note = Callable[[int | None, int | None, str, Mapping[str, Value]], None]


@dataclass(frozen=True)
class ControlRequest:
    """One request. `path` contains the named parts of the route's path; the body may contain a token, so no repr."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    peer: Peer | None = None
    note: Note = lambda *_: None

    def object(self) -> dict[str, Any]:
        """The body as a JSON object; {} if there is none."""
        if not self.body.strip():
            return {}
        try:
            found = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError):
            raise BadRequest("cannot read the body: it is not valid JSON") from None
        if not isinstance(found, dict):
            raise BadRequest("cannot read the body: send a JSON object")
        return found

    def only(self, *allowed: str) -> dict[str, Any]:
        """The body's object, which may have only these fields."""
        found = self.object()
        unknown = sorted(found.keys() - set(allowed))
        if unknown:
            known = f"the fields are {', '.join(allowed)}" if allowed else "send no fields here"
            raise BadRequest(f'cannot use the field "{unknown[0][:40]}": {known}')
        return found

    def number(self, name: str, default: int, highest: int) -> int:
        """An integer from 0 to `highest` in the query."""
        text = self.query.get(name, str(default))
        if not re.fullmatch(r"[0-9]{1,10}", text, re.ASCII) or int(text) > highest:
            raise BadRequest(f"cannot use {name}: send a whole number from 0 to {highest}")
        return int(text)

    def choice(self, name: str, default: str, allowed: Collection[str]) -> str:
        text = self.query.get(name, default)
        if text not in allowed:
            raise BadRequest(f"cannot use {name}: send one of {', '.join(allowed)}")
        return text

    def flag(self, name: str) -> bool:
        text = self.query.get(name, "0").lower()
        if text not in _FLAGS:
            raise BadRequest(f"cannot use {name}: send 0 or 1")
        return _FLAGS[text]

    def changed(self, text: str, /, *, aside: Mapping[str, Value] | None = None, **fields: Value) -> None:
        """Log a change with who made it, and record it. `fields`: what it was about, `before` and `after`.

        `aside` is recorded for `claudegwctl audit`, but not logged: nothing from a conversation goes into a log.
        """
        uid, pid = (self.peer.uid, self.peer.pid if self.peer.pid > 0 else None) if self.peer else (None, None)
        self.note(uid, pid, text, {**fields, **(aside or {})})
        event(log, logging.INFO, text, cause=None, uid=uid, pid=pid, **fields)


@dataclass(frozen=True)
class ControlResponse:
    """A JSON object and its status."""

    body: Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True)
class ControlStream:
    """A stream of JSON objects, each with a newline, sent as they come. It ends when the client leaves."""

    source: AsyncIterator[bytes]


Handler = Callable[[Controls, ControlRequest], Awaitable[ControlResponse | ControlStream]]
