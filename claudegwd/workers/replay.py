"""Writing a conversation into a worker: earlier messages as real turns, and then the question."""

from claudegwd.claude_cli import commands
from claudegwd.translate.history import Entry
from claudegwd.translate.plan import Plan
from claudegwd.workers.worker import Worker


async def replay(worker: Worker, plan: Plan, held: int) -> bytes:
    """Append what the worker does not hold yet; the lines that ask are returned, for one write with what is left.

    A user message is acknowledged before the next line is written, or an assistant message would overtake it.
    """
    entries = plan.entries[held:]
    lines = b""
    for entry in entries[:-1]:
        if entry.role == "assistant":
            lines += _assistant(entry)
        else:
            await worker.append(lines + commands.append_user(entry.content()))
            lines = b""
    last = entries[-1]
    return lines + (_assistant(last) + commands.ask([]) if plan.is_prefill else commands.ask(last.content()))


def mid_turn(plan: Plan, held: int) -> bytes:
    """What a user said beside the results of a parked turn.

    Written before the results, so that it goes into the same request as they: in the CLI's own words for a message that
    comes in mid-turn.
    """
    texts = [block for block in plan.entries[held].blocks if block["text"]]
    return commands.ask(texts) if texts else b""


def _assistant(entry: Entry) -> bytes:
    """An earlier answer. One with its own thinking passes only under its model's name and an id (observed)."""
    if not entry.model:
        return commands.append_assistant(entry.blocks)
    return commands.append_assistant(entry.blocks, model=entry.model, ident=entry.ident)
