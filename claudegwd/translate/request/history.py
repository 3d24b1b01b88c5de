"""Turns OpenAI messages into the entries of a transcript, each with the digest of the conversation up to it.

Consecutive messages of one role become one entry, because the Messages API requires alternating roles. The digest chain
shows whether a kept conversation is exactly this one: it covers what the model sees, normalized, so that a client that
drops reasoning, re-serializes the JSON of a tool call or sends content as parts still matches.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b, sha256
from typing import Any, Literal

from claudegwd.openai_api.chat.request import Message, TextPart, ToolCall
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.translate.arguments import as_object, canonical, same_numbers
from claudegwd.translate.request.parts import Allowance, Block, blocks_of
from claudegwd.translate.request.tools import cli_name

_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")

# OpenAI's own API rejects a call without a result; but some agents abandon a call and continue, and the Messages API
# requires a result for each call.
NO_RESULT = "No result was given for this call."

# A result that comes after the conversation has moved on. The Messages API accepts results only right after their
# calls, where NO_RESULT is now; as text, it reaches the model at the point where it came.
LATE_RESULT = "Result of an earlier call of {name}:"

# The Messages API requires the user to begin. Chat programs open with a greeting by the assistant, or send only a
# system message.
OPENING = "Begin the conversation."

# Newer models do not continue a last message of their own unless asked to.
CONTINUE = "Go on from exactly where your last message ends, without repeating any of it."


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool's result: the model's id of the call and its content blocks."""

    call_id: str
    blocks: tuple[Block, ...]
    is_error: bool = False

    def block(self) -> Block:
        """In the form of the Messages API."""
        made: dict[str, Any] = {"type": "tool_result", "tool_use_id": self.call_id}
        if self.blocks:
            made["content"] = list(self.blocks)
        if self.is_error:
            made["is_error"] = True
        return made

    @property
    def chars(self) -> int:
        """The length of its texts."""
        return sum(len(block.get("text", "")) for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Entry:
    """One side's turn: `results` (user side only) come before `blocks`. `digest` covers the conversation up to here.

    `model`: which one said it, if the blocks are its own (signatures.py); else "". `pixels`: of its images.
    """

    role: Literal["user", "assistant"]
    blocks: tuple[Block, ...]
    results: tuple[ToolResult, ...]
    digest: bytes
    model: str = ""
    pixels: int = 0

    def content(self) -> list[Block]:
        """All blocks, in the order that the Messages API requires."""
        return [*(result.block() for result in self.results), *self.blocks]

    @property
    def ident(self) -> str:
        """An id for the message, always the same for the same conversation."""
        return f"msg_{self.digest.hex()}"


@dataclass(frozen=True, slots=True)
class Begun:
    """The beginning of a conversation that was asked before: its messages and their entries."""

    base: bytes
    messages: tuple[Message, ...]
    entries: tuple[Entry, ...]


def system_text(messages: Sequence[Message], extra: str | None = None) -> str:
    """The system prompt: `extra` (the older gateway's), then system and developer messages. "" if there is none."""
    texts = [extra or ""]
    texts += [_text(message) for message in messages if message.role in ("system", "developer")]
    return "\n\n".join(text for text in texts if text.strip())


def call_id(client_id: str) -> str:
    """A tool call's id that the Messages API accepts: the client's own, or a digest if it has other characters."""
    if _PLAIN_ID.fullmatch(client_id):
        return client_id
    return "call_" + sha256(client_id.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def base_digest(*facts: object) -> bytes:
    """Where a conversation's chain begins: what must be equal besides the messages (client, model, system, tools).

    The model too: if a CLI's model changes mid-conversation, it tells the new one (observed: `/model` and its output
    in the next user message).
    """
    return blake2b(canonical(facts), digest_size=16).digest()


def chain(digest: bytes, entry: object) -> bytes:
    """The digest after one more entry, given in canonical form."""
    return blake2b(digest + canonical(entry), digest_size=16).digest()


def canonical_answer(text: str, calls: Iterable[tuple[str, str, str]]) -> object:
    """What counts of an assistant entry: its text, stripped, and its calls (id, name, arguments)."""
    return [
        "a",
        text.strip(),
        [[call_id(ident), name, same_numbers(as_object(arguments))] for ident, name, arguments in calls],
    ]


def entries_of(
    messages: Sequence[Message], base: bytes, *, prefills: bool = True, begun: Begun | None = None
) -> tuple[Entry, ...]:
    """Turn the messages (without system ones) into alternating entries, starting with the user's.

    `prefills`: whether the model can continue a last message of its own; else the user asks it to. `begun`: its entries
    are reused if the messages begin with the same ones.
    Raises InvalidRequest if there is nothing to ask: no message with content, or a last message that needs results.
    """
    entries: list[Entry] = []
    groups = _groups(messages)
    if not groups or groups[0][0] == "assistant":
        if not groups and not system_text(messages):
            raise InvalidRequest("cannot answer without a message: send at least one with content", param="messages")
        entries.append(_words(OPENING, base))
    allowance = Allowance()
    same = _unchanged(groups, messages, base, begun) if begun is not None else 0
    if begun is not None and same:
        entries = [*begun.entries[: len(entries) + same]]
        allowance.pixels -= sum(entry.pixels for entry in entries)
    for role, group in groups[same:]:
        before = entries[-1] if entries else None
        digest = before.digest if before else base
        left = allowance.pixels
        made = _assistant(group, digest, allowance) if role == "assistant" else _user(group, digest, before, allowance)
        entries.append(made if left == allowance.pixels else replace(made, pixels=left - allowance.pixels))
    if entries[-1].role == "assistant":
        entries[-1] = _prefill(entries[-1])
        if not prefills:
            entries.append(_words(CONTINUE, entries[-1].digest))
    return tuple(entries)


Group = list[tuple[int, Message]]


def _unchanged(groups: Sequence[tuple[str, Group]], messages: Sequence[Message], base: bytes, begun: Begun) -> int:
    """How many groups are those of `begun`, except its last, which may continue here."""
    known = len(begun.messages)
    if begun.base != base or begun.messages != tuple(messages[:known]):
        return 0
    return max(0, sum(1 for _, group in groups if group[-1][0] < known) - 1)


def _groups(messages: Sequence[Message]) -> list[tuple[str, Group]]:
    """Messages by side, without empty ones: the Messages API rejects an empty turn."""
    groups: list[tuple[str, Group]] = []
    for index, message in enumerate(messages):
        if message.role in ("system", "developer"):
            continue
        if message.role in ("user", "assistant") and not message.tool_calls and not _says_something(message):
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if groups and groups[-1][0] == role:
            groups[-1][1].append((index, message))
        else:
            groups.append((role, [(index, message)]))
    return groups


def _says_something(message: Message) -> bool:
    return any(not isinstance(part, TextPart) or part.text.strip() for part in message.content)


def _text(message: Message) -> str:
    return "".join(part.text for part in message.content if isinstance(part, TextPart))


def _words(text: str, digest: bytes) -> Entry:
    """Words of ours, as the user."""
    return Entry("user", ({"type": "text", "text": text},), (), chain(digest, ["u", ["t" + text], []]))


def _assistant(group: Group, digest: bytes, allowance: Allowance) -> Entry:
    blocks: list[Block] = []
    calls: list[ToolCall] = []
    for index, message in group:
        blocks += blocks_of(message.content, f"{message.path(index)}.content", allowance)
        calls += message.tool_calls
    for call in calls:
        name, arguments = cli_name(call.name), as_object(call.arguments)
        blocks.append({"type": "tool_use", "id": call_id(call.id), "name": name, "input": arguments})
    text = "".join(_text(message) for _, message in group)
    canonical_form = canonical_answer(text, [(call.id, call.name, call.arguments) for call in calls])
    return Entry("assistant", tuple(blocks), (), chain(digest, canonical_form))


def _prefill(entry: Entry) -> Entry:
    """A last entry of the model's, for it to continue."""
    last = entry.blocks[-1]
    if last["type"] == "tool_use":
        raise InvalidRequest(
            "cannot continue from a tool call without its result: add the result of each call", param="messages"
        )
    # The Messages API rejects white space at the end of such a text.
    blocks = (*entry.blocks[:-1], {**last, "text": last["text"].rstrip()})
    return Entry("assistant", blocks, (), entry.digest)


def _user(group: Group, digest: bytes, before: Entry | None, allowance: Allowance) -> Entry:
    blocks: list[Block] = []
    results: dict[str, ToolResult] = {}
    waiting = [block["id"] for block in (before.blocks if before else ()) if block["type"] == "tool_use"]
    for index, message in group:
        made = blocks_of(message.content, f"{message.path(index)}.content", allowance)
        if message.role == "user":
            blocks += made
            continue
        ident = call_id(message.tool_call_id or "")
        if ident in waiting:
            results[ident] = ToolResult(ident, tuple(made), message.is_error)
        else:
            blocks += [{"type": "text", "text": LATE_RESULT.format(name=message.name or "a tool")}, *made]
    for ident in waiting:
        if ident not in results:
            results[ident] = ToolResult(ident, ({"type": "text", "text": NO_RESULT},), is_error=True)
    return user_entry(blocks, tuple(results.values()), digest)


def user_entry(blocks: Sequence[Block], results: tuple[ToolResult, ...], before: bytes) -> Entry:
    """The user's turn; `before` is the digest of what comes before it."""
    canonical_form = [
        "u",
        [_brief(block) for block in blocks],
        sorted([result.call_id, *map(_brief, result.blocks)] for result in results),
    ]
    return Entry("user", tuple(blocks), results, chain(before, canonical_form))


def _brief(block: Block) -> str:
    """A block in a few bytes, except texts. No text can look like the digest of an image."""
    return "t" + block["text"] if block["type"] == "text" else "b" + sha256(canonical(block)).hexdigest()
