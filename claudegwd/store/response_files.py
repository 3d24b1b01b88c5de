"""Kept responses on disk, if the operator wants them to survive a restart: a sealed file for each, readable only by us.

They are written in the background: `kill -9` loses the responses of the last second. They contain conversations, so
they are not in the state file, which is copied into backups.
"""

import hashlib
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import trio

from claudegwd.logs import event, log
from claudegwd.store.responses import UNSTORED, KeptResponse, KeptResponses
from claudegwd.store.sealing import Seal
from claudegwd.store.stored_response import StoredResponse
from claudegwd.store.write_behind import write_behind

DIRECTORY: Final = "responses"
WRITE_SECONDS: Final = 1.0  # the most that is lost if the process is killed
LAST_WRITE_SECONDS: Final = 5.0  # how long shutdown may wait for a disk that hangs: at most 64 MiB are kept
# Files that wait for a failing disk; beyond this the oldest are dropped. As many as are kept at most.
PENDING_MAX: Final = 50_000
_UNFINISHED: Final = ".tmp"
_PURPOSE: Final = b"response"


class ResponseFiles:
    """Give it the state directory (None: not writable), `start` it, and run `run` as a task."""

    def __init__(self, directory: Path | None, clock: Callable[[], float] = time.time) -> None:
        self._directory = directory / DIRECTORY if directory is not None else None
        self._clock = clock
        self._responses: KeptResponses
        self._seal: Seal
        self._enabled = False
        self._clears = False
        self._pending: dict[str, StoredResponse | None] = {}  # by file name; None: delete it
        self._changed = trio.Event()
        self._failing = False

    async def start(self, responses: KeptResponses, seal: Seal, now: float, *, wanted: bool) -> None:
        """Load what an earlier run left, or remove it if not `wanted`. `now`: the clock of `responses`."""
        self._responses, self._seal = responses, seal
        responses.on_kept, responses.on_gone = self._kept, self._gone
        if wanted and self._directory is not None:
            found = await trio.to_thread.run_sync(_read_all, self._directory, seal)
            for stored in sorted(found, key=lambda one: one.made):
                responses.restore(stored.owner, stored.kept(), now - max(0.0, self._clock() - stored.made))
        # Without `configure`: what was just read is on the disk already, with its time.
        self._enabled, self._clears = wanted, not wanted
        self._changed.set()

    def configure(self, *, wanted: bool) -> None:
        """Start or stop keeping them on disk."""
        if wanted and not self._enabled:
            self._enabled, self._clears = True, False
            for owner, kept in self._responses.every():
                self._kept(owner, kept)
        elif self._enabled and not wanted:
            self._enabled, self._clears = False, True
            self._pending.clear()
        self._changed.set()

    async def run(self) -> None:
        """Keep writing what changes; a last time when cancelled. Run it as a task."""
        await write_behind(lambda: self._changed, self.flush, WRITE_SECONDS, LAST_WRITE_SECONDS)

    async def flush(self) -> bool:
        """Write it now; whether the disk took it."""
        self._changed = trio.Event()
        pending, self._pending, clears, self._clears = self._pending, {}, self._clears, False
        if self._directory is None or not (pending or clears):
            return True
        try:
            await trio.to_thread.run_sync(_write, self._directory, self._seal, pending, clears)
        except OSError as error:
            if not self._failing:
                event(
                    log,
                    logging.ERROR,
                    "stored responses cannot be written: they would be lost at a restart",
                    cause=error,
                )
            self._failing = True
            self._take_back(pending, clears=clears)
            return False
        except trio.Cancelled:  # before the thread began
            self._take_back(pending, clears=clears)
            raise
        self._failing = False
        return True

    def _take_back(self, pending: Mapping[str, StoredResponse | None], *, clears: bool) -> None:
        self._clears = clears or self._clears
        self._pending = {**pending, **self._pending}
        self._changed.set()

    def _kept(self, owner: str, kept: KeptResponse) -> None:
        if self._enabled and not owner.startswith(UNSTORED):
            self._note(_name(owner, kept.ident), StoredResponse.of(owner, kept, self._clock()))

    def _gone(self, owner: str, ident: str) -> None:
        if self._enabled and not owner.startswith(UNSTORED):
            self._note(_name(owner, ident), None)

    def _note(self, name: str, stored: StoredResponse | None) -> None:
        self._pending[name] = stored
        if len(self._pending) > PENDING_MAX:
            del self._pending[next(iter(self._pending))]
        self._changed.set()


def _name(owner: str, ident: str) -> str:
    return hashlib.sha256(f"{owner}\0{ident}".encode("utf-8", "surrogatepass")).hexdigest()


def _read_all(directory: Path, seal: Seal) -> Iterable[StoredResponse]:
    """All readable ones; a file that is broken or was sealed with another key is removed."""
    found: list[StoredResponse] = []
    try:
        files = _files(directory)
    except OSError:
        return found
    for file in files:
        # One that cannot even be removed does not keep the daemon from starting.
        with suppress(OSError):
            if file.suffix == _UNFINISHED:
                file.unlink()
                continue
            try:
                opened = seal.unlock(file.read_bytes(), _PURPOSE)
                found.append(msgspec.msgpack.decode(opened or b"", type=StoredResponse))
            except (OSError, msgspec.DecodeError):
                file.unlink()
    return found


def _files(directory: Path) -> list[Path]:
    """Without what is not ours, such as the lost+found of a file system of its own."""
    return [file for file in directory.iterdir() if not file.is_dir()]


def _write(directory: Path, seal: Seal, pending: Mapping[str, StoredResponse | None], clears: bool) -> None:
    if clears and directory.exists():
        for file in _files(directory):
            file.unlink(missing_ok=True)
    for name, stored in pending.items():
        if stored is None:
            (directory / name).unlink(missing_ok=True)
            continue
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = directory / f"{name}.{secrets.token_hex(8)}{_UNFINISHED}"
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(seal.lock(msgspec.msgpack.encode(stored), _PURPOSE))
        made.rename(directory / name)
