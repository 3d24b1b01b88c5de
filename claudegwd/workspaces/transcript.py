"""A conversation as the lines that pass it to a fresh CLI in a workspace. Pure."""

from claudegwd.claude_cli import commands
from claudegwd.translate.request.plan import Plan


def transcript(plan: Plan) -> list[bytes]:
    """Pieces in order. All but the last end in a message that the CLI acknowledges, before which no more may be
    written; the last one asks."""
    pieces: list[bytes] = []
    lines = b""
    for entry in plan.entries[:-1]:
        if entry.role == "assistant":
            lines += commands.append_assistant(entry.blocks)
        else:
            pieces.append(lines + commands.append_user(entry.content()))
            lines = b""
    last = plan.entries[-1]
    if plan.is_prefill:
        return [*pieces, lines + commands.append_assistant(last.blocks) + commands.ask([])]
    return [*pieces, lines + commands.ask(last.content())]


def system_prompt(plan: Plan, instructions: str) -> str:
    """What stands behind the CLI's own: the directory's instructions, then the client's."""
    return "\n\n".join(part for part in (instructions, plan.system) if part.strip())
