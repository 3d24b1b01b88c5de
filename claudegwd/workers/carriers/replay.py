"""Writes a conversation into a worker: earlier messages as real turns, then the question."""

from collections.abc import Sequence
from uuid import uuid4

from claudegwd.claude_cli import commands
from claudegwd.translate.request.history import Entry
from claudegwd.translate.request.parts import Block
from claudegwd.translate.request.plan import Plan
from claudegwd.workers.worker.worker import Worker

_NO_CONTENT = "(no content)"


async def replay(worker: Worker, plan: Plan, held: int) -> bytes:
    """Append what the worker does not hold yet; returns the lines that ask, to be sent in one write with the rest.

    Each user message must be acknowledged before the next line is written, or an assistant message would overtake it.
    """
    entries = plan.entries[held:]
    lines = b""
    for entry in entries[:-1]:
        if entry.role == "assistant":
            worker.transcript.add(entry.digest)
            lines += _assistant(entry)
        else:
            await worker.append(lines + commands.append_user(entry.content(), _known(worker, entry)))
            lines = b""
    last = entries[-1]
    if plan.is_prefill:
        uuid = str(uuid4())
        worker.transcript.ask_again(uuid)
        return lines + _assistant(last) + commands.ask([], uuid)
    return lines + commands.ask(last.content(), _known(worker, last))


def _known(worker: Worker, entry: Entry) -> str:
    """Add a user entry to the transcript; returns the uuid of its line."""
    uuid = str(uuid4())
    worker.transcript.add(entry.digest, uuid, results=bool(entry.results))
    return uuid


def _assistant(entry: Entry) -> bytes:
    """An earlier answer. One with thinking is accepted only with its model's name and an id (observed)."""
    if not entry.model:
        return commands.append_assistant(_kept(entry.blocks))
    return commands.append_assistant(entry.blocks, model=entry.model, ident=entry.ident)


def _kept(blocks: Sequence[Block]) -> Sequence[Block]:
    """The CLI uses exactly this text to mean no answer, and drops it (observed), so it is split into two blocks."""
    if len(blocks) == 1 and blocks[0].get("text", "").strip() == _NO_CONTENT:
        head, gap, rest = blocks[0]["text"].partition(" content)")
        return [{"type": "text", "text": head}, {"type": "text", "text": gap + rest}]
    return blocks
