"""The daemon's own files. If they are removed while it runs, the daemon continues, but nobody can reach it, or what it
writes is lost. So it checks them every few seconds, recreates them, and logs that."""

import logging
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import trio
from quart_trio import QuartTrio

from claudegwd.config import ConfigError
from claudegwd.control.server import serve_control
from claudegwd.logs import event, log
from claudegwd.sockets.control import ControlSocket
from claudegwd.sockets.problems import SocketError
from claudegwd.store.database import Database, StateError
from claudegwd.store.state_lock import StateLock

LOOK_SECONDS: Final = 2.0  # how often the daemon checks its files: a few stat calls each time


class ControlFace:
    """The control face, served on its socket, and on a new one if that is removed."""

    def __init__(self, app: QuartTrio, control: ControlSocket, nursery: trio.Nursery) -> None:
        self._app = app
        self._control = control
        self._nursery = nursery
        self._ends = trio.Event()

    async def start(self) -> None:
        """Start serving; returns once connections are accepted."""
        self._ends = trio.Event()
        await self._nursery.start(partial(serve_control, self._app, self._control.socket, shutdown=self._ends))

    async def hold(self) -> bool:
        """Recreate the socket if it is gone; returns whether it was. Raises SocketError, ConfigError, OSError."""
        if await trio.to_thread.run_sync(self._control.is_there):
            return False
        await trio.to_thread.run_sync(self._control.open_again)
        before = self._ends
        await self.start()
        before.set()
        return True

    def end(self) -> None:
        """Finish running requests, then end."""
        self._ends.set()


async def hold_own_files(control: ControlFace, database: Database, lock: StateLock) -> None:
    """Check forever. What cannot be recreated is tried again, but logged only once."""
    told: dict[str, str] = {}
    while True:
        await trio.sleep(LOOK_SECONDS)
        await _hold(control.hold, "the control socket", told)
        await _hold(database.hold, "the state file", told)
        await _hold(partial(trio.to_thread.run_sync, lock.hold), "the lock of the state directory", told)
        if database.problem:
            _tell_once(told, "the state file", database.problem)


async def _hold(look: Callable[[], Awaitable[bool]], name: str, told: dict[str, str]) -> None:
    try:
        anew = await look()
    except (OSError, sqlite3.Error, SocketError, StateError, ConfigError) as error:
        _tell_once(told, name, str(error))
        return
    if anew:
        event(log, logging.WARNING, "one of the daemon's own files was removed; it was recreated", kind=name)
        told.pop(name, None)


def _tell_once(told: dict[str, str], name: str, problem: str) -> None:
    if told.get(name) != problem:
        told[name] = problem
        event(log, logging.ERROR, "one of the daemon's own files is not as it should be", kind=name, problem=problem)
