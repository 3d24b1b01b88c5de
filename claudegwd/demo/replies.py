"""Ready-made scripts and replies for the common cases of tests and benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from claudegwd.demo.script import Answer, Fail, RecordedRequest, Script, ScriptedReply, ScriptedUsage, Text, revoked

# The usual rule of thumb for English. The endpoint has no tokenizer, so the counts are only approximate.
CHARACTERS_PER_TOKEN = 4


def sequence(*answers: Answer | Script) -> Script:
    """Each request gets the next answer; once they run out, the last one is repeated."""
    if not answers:
        raise ValueError("cannot script an empty sequence: give at least one answer")
    remaining = list(answers)

    def script(request: RecordedRequest) -> Answer:
        answer = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        return _resolved(answer, request)

    return script


def by_key(answers: Mapping[str, Answer | Script], otherwise: Answer | Script | None = None) -> Script:
    """The answer depends on the upstream key; unlisted ones get `otherwise`, or are rejected as revoked."""
    default = revoked() if otherwise is None else otherwise

    def script(request: RecordedRequest) -> Answer:
        return _resolved(answers.get(request.key or "", default), request)

    return script


def echo(*, part_characters: int = 8, gap: float = 0.0) -> Script:
    """Repeat the user's last message, in parts of this many characters, within the request's own limits."""

    def script(request: RecordedRequest) -> Answer:
        return obey(request, last_user_text(request), part_characters=part_characters, gap=gap)

    return script


def say(*parts: str, gap: float = 0.0, usage: ScriptedUsage | None = None) -> ScriptedReply:
    """One text block of these parts."""
    return ScriptedReply((Text(parts, gap),), usage=usage or ScriptedUsage())


def refusal(*parts: str) -> ScriptedReply:
    """The model declines: some text or none, and the stop reason that says so."""
    return ScriptedReply((Text(parts),) if parts else (), stop_reason="refusal")


def obey(request: RecordedRequest, text: str, *, part_characters: int = 8, gap: float = 0.0) -> ScriptedReply:
    """Answer `text`, cut by the request's `stop_sequences` and `max_tokens`, with the matching stop reason."""
    text, reason, stop = _stopped(text, request.body.get("stop_sequences"))
    limit = request.body.get("max_tokens")
    if isinstance(limit, int) and len(text) > max(limit, 0) * CHARACTERS_PER_TOKEN:
        text, reason, stop = text[: max(limit, 0) * CHARACTERS_PER_TOKEN], "max_tokens", None
    size = max(1, part_characters)
    parts = tuple(text[i : i + size] for i in range(0, len(text), size))
    usage = ScriptedUsage(input_tokens=count_input(request), output_tokens=tokens(text))
    return ScriptedReply((Text(parts, gap),), reason, stop, usage)


def tokens(text: str) -> int:
    return max(1, -(-len(text) // CHARACTERS_PER_TOKEN))


def count_input(request: RecordedRequest) -> int:
    """Roughly how many tokens the conversation has."""
    return sum(tokens(block_text(block)) for m in request.messages for block in blocks(m))


def last_user_text(request: RecordedRequest) -> str:
    """The text of the user's last message, its blocks joined; empty if there is none."""
    for message in reversed(request.messages):
        if message.get("role") == "user":
            return "".join(block_text(block) for block in blocks(message))
    return ""


def blocks(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A message's content as blocks: the protocol also allows a bare string."""
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [b for b in content if isinstance(b, dict)] if isinstance(content, list) else []


def block_text(block: Mapping[str, Any]) -> str:
    text = block.get("text")
    return text if block.get("type") == "text" and isinstance(text, str) else ""


def _stopped(text: str, sequences: object) -> tuple[str, str, str | None]:
    """Cut the text at the stop sequence that comes first."""
    wanted = [s for s in sequences if isinstance(s, str) and s] if isinstance(sequences, list) else []
    found = [(text.index(s), s) for s in wanted if s in text]
    if not found:
        return text, "end_turn", None
    position, sequence_ = min(found)
    return text[:position], "stop_sequence", sequence_


def _resolved(answer: Answer | Script, request: RecordedRequest) -> Answer:
    return answer if isinstance(answer, (ScriptedReply, Fail)) else answer(request)
