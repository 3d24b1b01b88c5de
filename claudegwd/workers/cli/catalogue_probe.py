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


def identity(launch: Launch) -> str:
    """Changes when the program or the way it is started does."""
    binary = Path(launch.argv[0])
    try:
        stat = binary.stat()
    except OSError:
        return ""
    facts = "\0".join([*launch.argv, str(stat.st_mtime_ns), str(stat.st_size)])
    return hashlib.sha256(facts.encode()).hexdigest()


def read_kept(path: Path, launch: Launch) -> Found | None:
    """What an earlier start learned of the same CLI, or None."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return None
    if kept.identity != identity(launch) or not kept.models:
        return None
    return Found(Initialized(models=kept.models, claude_code_version=kept.version), kept.able)


def keep(path: Path, launch: Launch, found: Found) -> None:
    """Remember it; if the state directory cannot be written, the next start just takes half a second longer."""
    known = found.initialized
    kept = _Kept(identity(launch), known.claude_code_version, known.models, found.able)
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
