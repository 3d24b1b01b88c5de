"""A conversation as the lines that hand it to a fresh CLI in a workspace, and as a digest. Pure."""

from claudegwd.claude_cli import commands
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.request.history import canonical_answer, chain
from claudegwd.translate.request.plan import Plan

# The workspace bounds at which the CLI stops by itself; at any other it is killed.
CLIS_BOUNDS = ("max_turns", "max_usd")


def transcript(plan: Plan, held: int = 0) -> list[bytes]:
    """The pieces in order, without the first entries, which the CLI has `held` already. All but the last end in a
    message that the CLI acknowledges before more may be written; the last one asks."""
    pieces: list[bytes] = []
    lines = b""
    for entry in plan.entries[held:-1]:
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
    """What is appended to the CLI's own: the directory's instructions, then the client's."""
    return "\n\n".join(part for part in (instructions, plan.system) if part.strip())


def fits_ended(plan: Plan) -> bool:
    """Whether what the plan adds can be sent to a CLI whose answer has ended."""
    return not (plan.entries[-1].results or plan.is_prefill)


def digest_after(plan: Plan, answer: Answer) -> bytes:
    """The digest of the conversation up to this answer."""
    calls = [(call.id, call.name, call.arguments) for call in answer.calls]
    return chain(plan.entries[-1].digest, canonical_answer(answer.text, calls))


def kept_digest(plan: Plan, answer: Answer, *, bound: str) -> bytes:
    """The same; b"" if another process cannot resume from there. `bound`: the one that ended the answer."""
    end = answer.finished
    by_itself = end is not None and (end.reason == "stop" or bound in CLIS_BOUNDS)
    return digest_after(plan, answer) if by_itself and not plan.is_prefill else b""
