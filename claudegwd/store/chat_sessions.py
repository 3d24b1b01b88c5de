"""The effects of chats on the older gateway's sessions: totals, written in the background, and which are running.

A session belongs to one client (`Client.owner`) and is invisible to others. None of its content is stored.
"""

import logging
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import trio

from claudegwd.logs import event, log
from claudegwd.openai_api.errors import InternalError
from claudegwd.store.database import Database, StateError
from claudegwd.store.sessions import Session, add_cost, create_session, get_session, use_session
from claudegwd.store.write_behind import write_behind

# A crash loses at most this many seconds of totals; each write flushes the disk.
WRITE_SECONDS: Final = 1.0
# Sessions whose totals wait for a failing disk; beyond this they are dropped.
PENDING_MAX: Final = 10_000
# Cached sessions, which chats need not look up. With the longest prompts (32,768 characters) some 8 MB.
KNOWN_MAX: Final = 256

Key = tuple[str, str]  # the client and the session's id
_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Known:
    """What a chat takes from its session."""

    project_id: str | None = None
    system_prompt: str | None = None


@dataclass(slots=True)
class _Use:
    """What is to be added to a session; it is created if it does not exist and there is a message to add."""

    project_id: str | None = None
    model: str = ""
    tokens: int = 0
    messages: int = 0
    cost: float = 0.0  # US dollars


class ChatSessions:
    """Give it the state file, and run `run` as a task. `clock`: wall clock, seconds."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._pending: dict[Key, _Use] = {}
        self._changed = trio.Event()
        self._known: OrderedDict[Key, Known] = OrderedDict()
        self._stops: dict[Key, set[Callable[[], None]]] = {}
        self._failing = False

    # -- for chats ----------------------------------------------------------------------------------------------------

    async def known(self, client: str, session_id: str) -> Known:
        """What is known of the client's session; nothing for a new one. Looked up once, then remembered."""
        key = (client, session_id)
        if key not in self._known:
            session = await self.run_in_store(get_session, client, session_id)
            self.remember(client, session_id, Known(session.project_id, session.system_prompt) if session else Known())
        self._known.move_to_end(key)
        return self._known[key]

    def remember(self, client: str, session_id: str, known: Known | None) -> None:
        """Remember it without a lookup; None: forget it."""
        self._known.pop((client, session_id), None)
        if known is not None:
            self._known[client, session_id] = known
            while len(self._known) > KNOWN_MAX:
                self._known.popitem(last=False)

    def use(
        self, client: str, session_id: str, *, project_id: str | None, model: str, tokens: int = 0, messages: int = 1
    ) -> None:
        """A message was sent or answered in it. Never waits."""
        pending = self._use(client, session_id)
        pending.project_id, pending.model = project_id, model
        pending.tokens += tokens
        pending.messages += messages

    def spent(self, client: str, session_id: str, dollars: float) -> None:
        """Add the cost, which the CLI reports after the answer. Never waits."""
        self._use(client, session_id).cost += dollars

    def _use(self, client: str, session_id: str) -> _Use:
        self._changed.set()
        key = (client, session_id)
        if key not in self._pending and len(self._pending) >= PENDING_MAX:
            del self._pending[next(iter(self._pending))]
        return self._pending.setdefault(key, _Use())

    @contextmanager
    def under_way(self, client: str, session_id: str, stop: Callable[[], None]) -> Iterator[None]:
        """Meanwhile the session is running, and stopping it calls `stop`, which must neither wait nor raise."""
        key = (client, session_id)
        stops = self._stops.setdefault(key, set())
        stops.add(stop)
        try:
            yield
        finally:
            stops.discard(stop)
            if not stops:
                self._stops.pop(key, None)

    # -- for the routes -----------------------------------------------------------------------------------------------

    def running(self, client: str) -> list[str]:
        """The ids of the client's sessions that are being answered."""
        return sorted(session_id for owner, session_id in self._stops if owner == client)

    def is_running(self, client: str, session_id: str) -> bool:
        return (client, session_id) in self._stops

    def stop(self, client: str, session_id: str) -> bool:
        """End what is running in it; whether there was anything."""
        stops = tuple(self._stops.get((client, session_id), ()))
        for stop in stops:
            stop()
        return bool(stops)

    async def read(
        self, function: Callable[Concatenate[sqlite3.Connection, _P], _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Call a function of the store once everything pending is written. Raises InternalError."""
        await self.flush()
        return await self.run_in_store(function, *args, **kwargs)

    async def run_in_store(
        self, function: Callable[Concatenate[sqlite3.Connection, _P], _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Call a function of the store. Raises InternalError if the state file cannot be used."""
        try:
            return await self._database.run(function, *args, **kwargs)
        except sqlite3.IntegrityError:
            raise
        except (sqlite3.Error, StateError) as error:
            self._say_failing(error)
            raise InternalError("cannot use the state file: see the gateway's log, or ask its operator") from None

    # -- writing ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep writing what is pending; a last time when cancelled."""
        await write_behind(lambda: self._changed, self.flush, WRITE_SECONDS)

    async def flush(self) -> bool:
        """Write what is pending now; whether that succeeded."""
        if not self._pending:
            return True
        uses, self._pending, self._changed = self._pending, {}, trio.Event()
        try:
            await self._database.run(_write, uses, self._clock())
        except trio.Cancelled:  # before it began: a running thread is waited for
            self._take_back(uses)
            raise
        except (sqlite3.Error, StateError) as error:
            self._say_failing(error)
            self._take_back(uses)
            return False
        self._failing = False
        return True

    def _take_back(self, uses: dict[Key, _Use]) -> None:
        for (client, session_id), use in uses.items():
            pending = self._use(client, session_id)
            pending.project_id, pending.model = pending.project_id or use.project_id, pending.model or use.model
            pending.tokens += use.tokens
            pending.messages += use.messages
            pending.cost += use.cost

    def _say_failing(self, error: Exception) -> None:
        if not self._failing:
            event(log, logging.ERROR, "the state file cannot be used for sessions", cause=error)
        self._failing = True


def _write(connection: sqlite3.Connection, uses: Mapping[Key, _Use], now: float) -> None:
    for (client, session_id), use in uses.items():
        if not use.messages:
            add_cost(connection, client, session_id, use.cost)
            continue
        totals: dict[str, Any] = {"tokens": use.tokens, "cost": use.cost, "messages": use.messages}
        if not use_session(connection, client, session_id, now, model=use.model, **totals):
            session = Session(
                session_id, use.project_id, _title(now), use.model, None, now, now,
                total_tokens=use.tokens, total_cost=use.cost, message_count=use.messages,
            )  # fmt: skip
            create_session(connection, client, session)


def _title(now: float) -> str:
    """For a session that a chat began: never from its messages, which are not kept."""
    return f"Chat of {datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M} UTC"
