"""The CLI's model catalogue, requested from a dedicated process and cached between starts.

A process accepts `initialize` only once, so a spare cannot be used. The answer depends on the CLI and on how it is
started; it is kept in the state directory, so that only the first start of a version waits for it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import trio

from claudegwd.openai_api.errors import CliError
from claudegwd.translate.request.catalogue import CatalogueEntry, Initialized
from claudegwd.workers.cli.abilities import goes_back, takes_whole
from claudegwd.workers.process.process import Launch
from claudegwd.workers.worker.life import WorkerLost
from claudegwd.workers.worker.worker import Worker

CATALOGUE = "catalogue.json"  # in the state directory
PROBE_SECONDS = 30.0  # 0.6 s was measured; a first start from a cold disk reads 370 MB


class CliEndedError(CliError):
    """The CLI exited instead of answering."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a CLI started in a particular way. `able`: it takes requests whole, if it was started for that;
    otherwise, it can cut its transcript."""

    initialized: Initialized
    able: bool


class _Kept(msgspec.Struct):
    identity: str
    version: str
    models: tuple[CatalogueEntry, ...]
    able: bool
    program: str = ""

    @property
    def initialized(self) -> Initialized:
        return Initialized(models=self.models, claude_code_version=self.version)


def _program(binary: Path) -> str:
    """Changes when the program does; "" if it cannot be found."""
    try:
        stat = binary.stat()
    except OSError:
        return ""
    return f"{binary} {stat.st_mtime_ns} {stat.st_size}"


def identity(launch: Launch) -> str:
    """Changes when the program or the way it is started does."""
    program = _program(Path(launch.argv[0]))
    if not program:
        return ""
    return hashlib.sha256("\0".join([*launch.argv, program]).encode()).hexdigest()


def read_kept(path: Path, launch: Launch) -> Found | None:
    """What an earlier start learned of the same CLI, or None."""
    kept = _read(path)
    if kept is None or kept.identity != identity(launch):
        return None
    return Found(kept.initialized, kept.able)


def read_catalogue(path: Path, binary: Path) -> Initialized | None:
    """What a daemon that started learned of this program, however it was started; None if that is not known."""
    kept = _read(path)
    return kept.initialized if kept is not None and kept.program and kept.program == _program(binary) else None


def _read(path: Path) -> _Kept | None:
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return None
    return kept if kept.models else None


def keep(path: Path, launch: Launch, found: Found) -> None:
    """Remember it; if the state directory cannot be written, the next start just takes half a second longer."""
    known = found.initialized
    kept = _Kept(identity(launch), known.claude_code_version, known.models, found.able, _program(Path(launch.argv[0])))
    temporary = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(mode=0o600)  # like everything in the state directory
        temporary.write_bytes(msgspec.json.encode(kept))
        temporary.replace(path)
    except OSError:
        return


async def probe(launch: Launch, clock: Callable[[], float]) -> Found:
    """Ask a new process. Raises CliError, which says what to do, if it does not answer; CliEndedError if it exits."""
    worker = Worker(launch, clock)
    answer: Found | CliError | None = None
    ended = ""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run)
        try:
            with trio.fail_after(PROBE_SECONDS):
                worker.initialize("", ())
                initialized = await worker.initialized_answer()
                able = await (takes_whole(worker) if launch.whole else goes_back(worker))
                answer = Found(initialized, able)
        except trio.TooSlowError:
            answer = CliError(f"cannot start the Claude Code CLI: no answer within {PROBE_SECONDS:.0f} s")
        except WorkerLost as error:
            ended = str(error)
        nursery.cancel_scope.cancel()
    if answer is None:
        words = f": {worker.process.stderr.last_words}" if worker.process.stderr.last_words else ""
        raise CliEndedError(f"cannot start the Claude Code CLI: {ended}{words}; run `claudegwctl doctor`")
    if isinstance(answer, CliError):
        raise answer
    return answer
