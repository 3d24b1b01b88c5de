"""Conversations that outlive their process, in workspaces with `sessions = true`: the CLI's transcript of each.

Each has a sealed file in the state directory, for the daemon's user only, and out of reach of all processes in a
workspace. A new process gets a copy of the transcript. It is found by the digest of the conversation, which begins with
the client: if the history was edited, or the client is another, nothing is found.
"""

import hashlib
import logging
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec
import trio

from claudegwd.atomic import put_file
from claudegwd.config.schema import WorkspaceConfig
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.workspaces.cli_session import CliSession

DIRECTORY: Final = "conversations"
# Of all clients together, and of one of them, so that it does not push out the others'. A person continues
# only a handful.
MAX_KEPT: Final = 200
MAX_KEPT_OF_CLIENT: Final = 50
# On the disk, for all of them: a long one takes about a megabyte there.
MAX_KEPT_BYTES: Final = 256 * 1024 * 1024
# How often each is checked against its client, its workspace and its age.
SWEEP_SECONDS: Final = 2.0
# A disk that hangs does not keep an answer from beginning, nor the daemon from stopping.
FILE_SECONDS: Final = 10.0
_PURPOSE: Final = b"conversation"
_HEAD: Final = 4  # bytes for the length of the sealed record, which precedes the sealed transcript


class Locks(Protocol):
    """Seals bytes, and opens them again; None if they were not sealed that way."""

    def lock(self, data: bytes, purpose: bytes) -> bytes: ...
    def unlock(self, data: bytes, purpose: bytes) -> bytes | None: ...


class KeptConversation(msgspec.Struct, frozen=True, array_like=True):
    """One of them. `ident` and `folder` are those of the CLI's session; `rules` are those of the workspace at the time;
    `used` is in seconds since the epoch; `size` on the disk."""

    ident: str
    folder: str
    workspace: str
    rules: bytes
    client: str
    owner: str
    digest: bytes
    used: float
    size: int = 0

    @property
    def place(self) -> tuple[str, bytes]:
        """What it is found by."""
        return self.workspace, self.digest


def rules_of(workspace: WorkspaceConfig, directory: str) -> bytes:
    """Changes whenever the workspace is changed. `directory`: its real path."""
    return hashlib.sha256(msgspec.json.encode([directory, workspace])).digest()[:16]


def surplus(kept: Iterable[KeptConversation]) -> list[KeptConversation]:
    """Those beyond the bounds on number and size: the least recently used ones. Pure."""
    gone, of_client, count, size = [], Counter[tuple[str, str]](), 0, 0
    for each in sorted(kept, key=lambda one: one.used, reverse=True):
        owner = (each.client, each.owner)
        if count >= MAX_KEPT or of_client[owner] >= MAX_KEPT_OF_CLIENT or size + each.size > MAX_KEPT_BYTES:
            gone.append(each)
        else:
            count, size = count + 1, size + each.size
            of_client[owner] += 1
    return gone


class KeptConversations:
    """Give it the state directory (None: nothing is kept), `load` it, and run `run` as a task.

    `may_stay` says whether a conversation may still be kept.
    """

    def __init__(self, directory: Path | None, seal: Locks, clock: Callable[[], float] = time.time) -> None:
        self._directory = directory / DIRECTORY if directory is not None else None
        self._seal = seal
        self._clock = clock
        self._kept: dict[str, KeptConversation] = {}  # by the CLI's id
        self._found: dict[tuple[str, bytes], KeptConversation] = {}
        self._in_use: set[str] = set()
        self._writing: set[str] = set()
        self.may_stay: Callable[[KeptConversation], bool] = lambda _: False

    async def load(self) -> None:
        """Load what an earlier run left; remove what may not stay."""
        if self._directory is not None:
            for each in await trio.to_thread.run_sync(_read_all, self._directory, self._seal):
                self._put(each)
            await self.sweep()

    async def run(self) -> None:
        """Keep removing what may not stay. Run it as a task."""
        while True:
            await trio.sleep(SWEEP_SECONDS)
            await self.sweep()

    async def sweep(self) -> None:
        """Remove what may not stay."""
        stays = {each.ident: each for each in self._kept.values() if self.may_stay(each)}
        for each in surplus(stays.values()):
            del stays[each.ident]
        await self._remove([each for each in self._kept.values() if each.ident not in stays])

    def total(self, workspace: str | None = None) -> dict[str, int]:
        """How many there are, in all workspaces or one, and their size on the disk."""
        sizes = [each.size for each in self._kept.values() if workspace in (None, each.workspace)]
        return {"count": len(sizes), "bytes": sum(sizes)}

    def take(self, workspace: str, owner: str, digests: Sequence[bytes]) -> KeptConversation | None:
        """The one that covers most of a history, given its digests from the longest part down. Until `release`, nobody
        else can resume from it."""
        found = next(filter(None, (self._found.get((workspace, digest)) for digest in digests)), None)
        if found is None or found.owner != owner or not self.may_stay(found):
            return None
        if found.ident in self._in_use or found.ident in self._writing:
            return None
        self._in_use.add(found.ident)
        return found

    def release(self, ident: str) -> None:
        """The process that resumed from it has ended."""
        self._in_use.discard(ident)

    async def read(self, kept: KeptConversation) -> CliSession | None:
        """What the CLI is started with; None if it is lost, and then it is removed."""
        transcript = None
        with trio.move_on_after(FILE_SECONDS):
            transcript = await trio.to_thread.run_sync(
                _read, self._file(kept.ident), self._seal, abandon_on_cancel=True
            )
        if transcript is None:
            await self._remove([kept])
            return None
        return CliSession(kept.ident, kept.folder, transcript)

    async def keep(self, kept: KeptConversation, transcript: bytes) -> None:
        """Keep it, replacing its earlier version."""
        if self._directory is None or not self.may_stay(kept):
            return
        kept = msgspec.structs.replace(kept, used=self._clock())
        same = self._found.get(kept.place)
        if same is not None and same.ident != kept.ident and same.ident not in self._in_use:
            await self._remove([same])
        # Listed before it is written: nobody waits for a write that takes too long, and an unlisted file would outlive
        # its client.
        self._put(msgspec.structs.replace(kept, size=len(transcript)))
        self._writing.add(kept.ident)
        try:
            with trio.move_on_after(FILE_SECONDS):
                size = await trio.to_thread.run_sync(self._write, kept, transcript, abandon_on_cancel=True)
                if kept.ident in self._kept:
                    self._put(msgspec.structs.replace(kept, size=size))
        except OSError as error:
            await self._remove([kept])
            text = "a workspace conversation cannot be kept: it continues from what its client sends"
            log_event(log, logging.ERROR, text, workspace=kept.workspace, cause=error)
        await self.sweep()

    def _write(self, kept: KeptConversation, transcript: bytes) -> int:
        """In a thread, which may outlive the wait for it: if the conversation was removed meanwhile, nobody else
        removes the file."""
        try:
            size = _write(self._file(kept.ident), self._seal, kept, transcript)
            if kept.ident not in self._kept:
                _unlink([self._file(kept.ident)])
            return size
        finally:
            self._writing.discard(kept.ident)

    async def drop(self, kept: KeptConversation) -> None:
        """Remove one that is useless."""
        await self._remove([kept])

    def _put(self, kept: KeptConversation) -> None:
        self._forget(kept.ident)
        self._kept[kept.ident] = self._found[kept.place] = kept

    def _forget(self, ident: str) -> None:
        before = self._kept.pop(ident, None)
        if before is not None and self._found.get(before.place) is before:
            del self._found[before.place]

    async def _remove(self, gone: Sequence[KeptConversation]) -> None:
        for each in gone:
            self._forget(each.ident)
        if gone:
            with trio.move_on_after(FILE_SECONDS):
                files = [self._file(each.ident) for each in gone]
                await trio.to_thread.run_sync(_unlink, files, abandon_on_cancel=True)

    def _file(self, ident: str) -> Path:
        assert self._directory is not None  # noqa: S101 - for the type checker: without one nothing is kept
        return self._directory / ident


def _unlink(files: Sequence[Path]) -> None:
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            text = "a conversation that should go cannot be removed"
            log_event(log, logging.ERROR, text, file=str(file), cause=error)


def _read_all(directory: Path, seal: Locks) -> list[KeptConversation]:
    """All readable ones; a file that is broken or was sealed with another key is removed."""
    found: list[KeptConversation] = []
    try:
        files = list(directory.iterdir())
    except OSError:
        return found
    for file in files:
        record = None
        try:
            with file.open("rb") as opened:
                head = opened.read(int.from_bytes(opened.read(_HEAD)))
            record = msgspec.msgpack.decode(seal.unlock(head, _PURPOSE) or b"", type=KeptConversation)
            record = msgspec.structs.replace(record, size=file.stat().st_size)
        except (OSError, msgspec.DecodeError):
            pass
        if record is not None and record.ident == file.name:
            found.append(record)
        else:
            _unlink([file])
    return found


def _read(file: Path, seal: Locks) -> bytes | None:
    try:
        data = file.read_bytes()
    except OSError:
        return None
    sealed = data[_HEAD + int.from_bytes(data[:_HEAD]) :]
    packed = seal.unlock(sealed, _PURPOSE + file.name.encode())
    return None if packed is None else zlib.decompress(packed)


def _write(file: Path, seal: Locks, kept: KeptConversation, transcript: bytes) -> int:
    """Returns its size in bytes. Raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    record = seal.lock(msgspec.msgpack.encode(kept), _PURPOSE)
    sealed = seal.lock(zlib.compress(transcript, 1), _PURPOSE + file.name.encode())
    data = len(record).to_bytes(_HEAD) + record + sealed
    put_file(file, data, mode=0o600)
    return len(data)
