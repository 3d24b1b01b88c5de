"""Access to the Valkey or Redis that several machines share, and what we know about it while it is away.

Nothing here waits long: calls are bounded by milliseconds, and after one that takes longer there are none for a while.
"""

import hashlib
import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

import trio

from claudegwd.config.shared import SharedPlace
from claudegwd.logs import event, log
from claudegwd.shared.connection import (
    WRITE_SECONDS,
    StoreAwayError,
    StoreConnection,
    StoreRefusedError,
    StoreUnfitError,
    Word,
    cause_of,
)
from claudegwd.shared.greeting import CONNECT_SECONDS, check_secret, greet, unfit
from claudegwd.store.sealing import Seal

# How long a call may delay a request. On a local network it takes a fifth of a millisecond.
CALL_SECONDS: Final = 0.05
# After a call that took longer, the store is not used for this long: one request per second pays for the retry.
REST_SECONDS: Final = 1.0
# A hung store does not close its connections: if it has not replied for this long, we close them.
LOOK_SECONDS: Final = 2.0
# The pause between reconnection attempts doubles from the first value to the last.
PAUSE_FIRST_SECONDS: Final = 0.25
PAUSE_LAST_SECONDS: Final = 4.0

PROBLEM_CHARACTERS: Final = 300  # of a server's error message, in the log and the status

_NO_SCRIPT: Final = "NOSCRIPT"
# Errors of the whole server rather than one command: it is out of memory or disk, has become a replica, or wants
# another password. A new connection may reach another server; until its greeting succeeds, the store is away.
_OF_THE_SERVER: Final = frozenset(
    ("OOM", "MISCONF", "READONLY", "MASTERDOWN", "NOREPLICAS", "LOADING", "NOAUTH", "NOPERM")
)


class Script:
    """Runs atomically in the store, and is sent only once."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode()).hexdigest()  # noqa: S324 - the name that the protocol gives it


class SharedStore:
    """`run` it as a task. `on_connected` are called after each connection is made, `on_message` by channel.
    `on_greeted` are called before that; the connection is not used if they raise StoreUnfitError.

    `name`: this machine's. `clock`: wall clock, seconds. `patience`: how long a call may take. `seal`: for what only
    the machines may read or write. `ca_file`: the CA for the server; None: the system's. `quiet`: another instance logs
    whether the store is available.
    """

    def __init__(
        self,
        place: SharedPlace,
        password: str,
        name: str,
        clock: Callable[[], float] = time.time,
        patience: float = CALL_SECONDS,
        seal: Seal | None = None,
        ca_file: Path | None = None,
        *,
        quiet: bool = False,
    ) -> None:
        self.place = place
        self.name = name
        self.seal = seal
        self.version = ""
        self.away_since: float | None = clock()
        self.problem = "not connected yet"
        self.at_fault = ""  # the setting that a person must change before it can be used again
        self.on_greeted: list[Callable[[StoreConnection], Awaitable[None]]] = []
        self.on_connected: list[Callable[[], Awaitable[None]]] = []
        self.on_message: dict[bytes, Callable[[bytes], None]] = {}
        self._password = password
        self._clock = clock
        self._patience = patience
        self._ca_file = ca_file
        self._quiet = quiet
        self._connection: StoreConnection | None = None
        self._rests_until = 0.0  # on the event loop's clock

    def key(self, *parts: str) -> str:
        """The name of something in the store."""
        return ":".join(("claudegwd", *parts))

    def channel(self, name: str) -> bytes:
        """The name of a channel, with the database: channels are common to all databases."""
        return f"claudegwd:{self.place.database}:{name}".encode()

    async def call(self, *words: Word) -> Any:
        """One round trip. Raises StoreAwayError if there is no reply in time, or it is refused."""
        connection = self._connection
        if connection is None or trio.current_time() < self._rests_until:
            raise StoreAwayError
        try:
            return await connection.call(*words, seconds=self._patience)
        except StoreRefusedError as error:
            if error.code == _NO_SCRIPT:
                raise
            problem = str(error)
            if error.code in _OF_THE_SERVER:
                connection.close(problem)
        except StoreAwayError as error:
            problem = str(error)
        self._rests_until = trio.current_time() + REST_SECONDS
        self._is_away(problem)
        raise StoreAwayError

    async def run_script(self, script: Script, keys: Sequence[str], *arguments: Word) -> Any:
        """The same for a script."""
        try:
            return await self.call("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except StoreRefusedError:
            return await self.call("EVAL", script.source, len(keys), *keys, *arguments)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep a connection, forever. Started once it has been tried; before that, raises StoreUnfitError."""
        pause, tried = PAUSE_FIRST_SECONDS, False

        def connected() -> None:
            nonlocal pause, tried
            pause = PAUSE_FIRST_SECONDS
            if not tried:
                task_status.started()
            tried = True

        while True:
            try:
                await self._live(connected)
            except StoreUnfitError as error:
                if not tried:
                    raise
                self._is_away(f"{error.setting} {error}", error.setting)
            except (StoreAwayError, StoreRefusedError, OSError, trio.TooSlowError, trio.BrokenResourceError) as error:
                self._is_away(cause_of(error))
            if not tried:
                task_status.started()
            tried = True
            await trio.sleep(pause)
            pause = min(2 * pause, PAUSE_LAST_SECONDS)

    def reconnect(self) -> None:
        """Close this connection, so that a new one is greeted."""
        if self._connection is not None:
            self._connection.close()

    def status(self) -> dict[str, Any]:
        """For `claudegwctl status`. Times are seconds since the epoch."""
        return {
            "place": str(self.place),
            "machine": self.name,
            "version": self.version or None,
            "sealed": self.seal is not None,
            "away_since": self.away_since,
            "problem": self.problem or None,
            "at_fault": self.at_fault or None,
        }

    async def _live(self, connected: Callable[[], None]) -> NoReturn:
        """One connection, from beginning to end."""
        fault: Exception | None = None
        with trio.fail_after(CONNECT_SECONDS):
            stream = await self._open()
        async with trio.open_nursery() as nursery:
            connection = StoreConnection(stream, self._hear, max(WRITE_SECONDS, self._patience))
            nursery.start_soon(_until_it_ends, connection, nursery.cancel_scope)
            try:
                await self._greet(connection)
                self._connection = connection
                self._is_here()
                for told in self.on_connected:
                    nursery.start_soon(self._tell, told)
                connected()
                await self._look(connection)
            except (StoreAwayError, StoreRefusedError, StoreUnfitError) as error:
                fault = error
            finally:
                self._connection = None
                nursery.cancel_scope.cancel()
        raise fault or StoreAwayError(connection.end)

    async def _open(self) -> trio.abc.Stream:
        place = self.place
        if place.path:
            return await trio.open_unix_socket(place.path)
        stream = await trio.open_tcp_stream(place.host, place.port)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not place.tls:
            return stream
        context = await trio.to_thread.run_sync(trusting, self._ca_file)
        secure = trio.SSLStream(stream, context, server_hostname=place.host)
        try:
            await secure.do_handshake()
        except trio.BrokenResourceError as error:
            if not isinstance(error.__cause__, ssl.SSLCertVerificationError):
                raise
            why = error.__cause__.verify_message
            text = f"does not verify the certificate of {place} ({why}): name a file with the CA that signed it"
            raise StoreUnfitError("shared.ca_file", text) from None
        return secure

    async def _greet(self, connection: StoreConnection) -> None:
        self.version = await greet(connection, self.place, self._password, self.name)
        try:
            if self.seal is not None:
                await check_secret(connection, self.key("secret"), self.seal, self.place)
            if self.on_message:
                await connection.subscribe(*self.on_message)
            for ready in self.on_greeted:
                await ready(connection)
        except StoreRefusedError as error:
            raise unfit(error, self.place) or error from None

    async def _look(self, connection: StoreConnection) -> None:
        """Ping until it is silent: a hung store does not close connections."""
        while True:
            await trio.sleep(LOOK_SECONDS)
            began = trio.current_time()
            await connection.call("PING", seconds=LOOK_SECONDS)
            if trio.current_time() - began <= self._patience:
                self._is_here()

    async def _tell(self, told: Callable[[], Awaitable[None]]) -> None:
        with suppress(StoreAwayError, StoreRefusedError):
            await told()

    def _hear(self, channel: bytes, content: bytes) -> None:
        if told := self.on_message.get(channel):
            told(content)

    def _is_here(self) -> None:
        if self.away_since is not None and not self._quiet:
            seconds = round(self._clock() - self.away_since, 1)
            event(log, logging.INFO, "the shared store is available", seconds=seconds, version=self.version)
        self.away_since, self.problem, self.at_fault, self._rests_until = None, "", "", 0.0

    def _is_away(self, problem: str, at_fault: str = "") -> None:
        problem, self.at_fault = problem[:PROBLEM_CHARACTERS], at_fault
        if (self.away_since is None or problem != self.problem) and not self._quiet:
            text = "the shared store is unavailable: this machine continues with what it knows"
            event(log, logging.WARNING, text, problem=problem)
        if self.away_since is None:
            self.away_since = self._clock()
        self.problem = problem


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """For connections to servers that this CA vouches for; None: one of the system's. Blocking. Raises
    StoreUnfitError."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise StoreUnfitError("shared.ca_file", f"is not a usable certificate file: {error.strerror}") from None


async def _until_it_ends(connection: StoreConnection, scope: trio.CancelScope) -> None:
    await connection.read()
    scope.cancel()
