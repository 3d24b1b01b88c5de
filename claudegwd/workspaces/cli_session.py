"""The CLI's own session of a conversation: a transcript that it writes below HOME and can resume from.

Seen on 2.1.330: `HOME/.claude/projects/FOLDER/ID.jsonl`, where FOLDER is made from the working directory. If the CLI
cannot find or read a session, it exits with a `result` of `error_during_execution` before it asks upstream.
"""

import os
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from claudegwd.workspaces.opened_files import open_regular, place_of

# A long day's work is a few megabytes; pictures make more. A longer one is replayed from what the client sends.
MAX_TRANSCRIPT_BYTES: Final = 16 * 1024 * 1024
# Project folders in the HOME of one process: the CLI creates one.
MAX_FOLDERS: Final = 20
_PROJECTS: Final = ".claude/projects"
_FOLDER: Final = re.compile(r"[A-Za-z0-9._-]{1,255}")
# What earlier answers cost: `max_usd` applies to the answers of one process.
_COSTS: Final = b'{"type":"cost-state"'


@dataclass(frozen=True, slots=True)
class CliSession:
    """How a CLI is started: with `ident` "" it keeps nothing; with a transcript it resumes from there."""

    ident: str = ""
    folder: str = ""
    transcript: bytes = b""


class _Block(msgspec.Struct):
    type: str = ""
    text: str = ""


class _Message(msgspec.Struct):
    content: str | list[_Block] = ""


class _Line(msgspec.Struct):
    type: str = ""
    message: _Message | None = None


def is_complete(transcript: bytes, text: str, *, stopped: bool) -> bool:
    """Whether the transcript contains the whole answer with this text, or, if a bound `stopped` it, the tool results
    after it: a CLI that had to be killed may not have written everything. Pure."""
    for raw in reversed(transcript.splitlines()):
        try:
            line = msgspec.json.decode(raw, type=_Line)
        except msgspec.DecodeError:
            return False
        if line.message is None or line.type not in ("user", "assistant"):
            continue
        if stopped or line.type == "user":
            return stopped and line.type == "user"
        content = line.message.content
        said = content if isinstance(content, str) else "".join(block.text for block in content)
        return bool(said.strip()) == bool(text.strip()) and text.strip().endswith(said.strip())
    return False


def put_transcript(home: Path, session: CliSession) -> None:
    """Write it to where the CLI looks for it. Raises OSError. Blocking."""
    folder = home / _PROJECTS / session.folder
    folder.mkdir(mode=0o700, parents=True)
    file = folder / f"{session.ident}.jsonl"
    file.touch(0o600)
    file.write_bytes(session.transcript)


def read_transcript(home: Path, ident: str) -> CliSession | None:
    """What the CLI wrote, once it has ended; None if anything looks wrong: commands could write there too, and links
    may lead to files that are only ours to read. Blocking."""
    projects = Path(os.path.realpath(home)) / _PROJECTS
    try:
        with os.scandir(projects) as entries:
            names = [entry.name for entry in islice(entries, MAX_FOLDERS)]
    except OSError:
        return None
    for folder in filter(_FOLDER.fullmatch, names):
        path = projects / folder / f"{ident}.jsonl"
        try:
            with open_regular(path) as file:
                if place_of(file.fileno()) != str(path) or os.fstat(file.fileno()).st_nlink != 1:
                    return None
                found = file.read(MAX_TRANSCRIPT_BYTES + 1)
        except OSError:
            continue
        if len(found) > MAX_TRANSCRIPT_BYTES:
            return None
        kept = b"".join(line for line in found.splitlines(keepends=True) if not line.startswith(_COSTS))
        return CliSession(ident, folder, kept)
    return None
