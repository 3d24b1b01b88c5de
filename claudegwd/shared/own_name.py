"""Ensures that each machine's name is unique: two with the same name would overwrite each other's reports.

A running machine listens on a channel of its own, which is recorded under its name. A machine that wants the name
checks whether anyone still listens: one that was killed frees its name at once, and one whose connection was cut
silently does so after some seconds. The second of two does not start. If both are already running, because the store
was away meanwhile, the second continues without the store until the name is free.
"""

import logging
import os
from contextlib import suppress
from math import inf
from secrets import token_hex
from typing import Final

import trio

from claudegwd.logs import event, log
from claudegwd.shared.connection import StoreAwayError, StoreConnection, StoreUnfitError, Word
from claudegwd.shared.greeting import CONNECT_SECONDS
from claudegwd.shared.store import Script, SharedStore

# How long a silent machine keeps its name: as long as it counts as present (machines.GONE_SECONDS).
HELD_SECONDS: Final = 15.0
RENEW_SECONDS: Final = 5.0  # three times within HELD_SECONDS
# How often a machine that finds its name taken checks whether the other one has renewed it.
LOOK_SECONDS: Final = 0.5
HOST_CHARACTERS: Final = 64  # of another machine's description, in the log and the status

# KEYS: where the name is stored. ARGV: what we write there, the channel name without the token, milliseconds until it
# expires. Returns who has the name and for how many milliseconds; nothing: we have it now.
_CLAIM: Final = Script(
    """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and redis.call('PUBLISH', ARGV[2] .. string.match(holder, '^%w*'), '') > 0 then
  return {holder, redis.call('PTTL', KEYS[1])}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
"""
)


class OwnName:
    """`run` it as a task. `host`: this computer's name, for people who have to find it. `others`: this machine's other
    connections, made under the same name."""

    def __init__(
        self, store: SharedStore, host: str, *others: SharedStore, renew_seconds: float = RENEW_SECONDS
    ) -> None:
        self._store = store
        self._connections = (store, *others)
        self._renew_seconds = renew_seconds
        token, channels = token_hex(8), store.channel("name:")
        store.on_message[channels + token.encode()] = lambda _: None  # only the subscription matters
        self._key = store.key("name", store.name)
        said = f"{token} {host}, process {os.getpid()}"
        self._arguments: tuple[Word, ...] = (said, channels, int(HELD_SECONDS * 1000))
        for each in self._connections:
            each.on_greeted.append(self._claim)

    async def run(self) -> None:
        """Forever: renew the name, and disconnect if another machine has taken it meanwhile."""
        while True:
            with suppress(StoreAwayError):  # the next connection claims it
                if await self._store.run_script(_CLAIM, [self._key], *self._arguments):
                    event(log, logging.WARNING, "another machine has this one's name", machine=self._store.name)
                    for each in self._connections:
                        each.reconnect()
            await trio.sleep(self._renew_seconds)

    async def _claim(self, connection: StoreConnection) -> None:
        """Claim the name, waiting if it is taken. Raises StoreUnfitError if its holder is alive, and StoreAwayError."""
        left = inf
        words = ("EVAL", _CLAIM.source, 1, self._key, *self._arguments)
        while found := await connection.call(*words, seconds=CONNECT_SECONDS):
            said, milliseconds = found
            if milliseconds > left:  # renewed while we looked
                raise StoreUnfitError("shared.machine", self._taken(said))
            left = milliseconds
            await trio.sleep(LOOK_SECONDS)

    def _taken(self, said: bytes) -> str:
        host = said.decode("utf-8", "replace").partition(" ")[2][:HOST_CHARACTERS]
        return (
            f"must be another name than {self._store.name}, which a running machine at {self._store.place} has "
            f"({host}): give each machine its own, or stop that one"
        )
