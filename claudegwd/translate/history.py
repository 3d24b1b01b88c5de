"""OpenAI messages to the entries of a transcript, each with the digest of the conversation up to it.

Neighbouring messages of one side become one entry, as the Messages API wants it: sides alternate. The digest chain says
whether a kept conversation is exactly this one: it covers what the model sees, normalised, so that a client which drops
reasoning, re-serialises the JSON of a tool call or gives content as parts still matches.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import Any, Literal

import msgspec

from claudegwd.openai_api.chat_request import Message, ToolCall
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.translate.parts import Block, blocks_of
from claudegwd.translate.tools import PREFIX, cli_name

_sorted = msgspec.json.Encoder(order="deterministic").encode
_json = msgspec.json.Decoder()
_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")

# OpenAI's own API refuses a call without a result; agents that abandon a call and go on exist all the same, and the
# Messages API wants a result for each call.
NO_RESULT = "No result was given for this call."


@dataclass(frozen=True, slots=True)
class Result:
    """A tool's result: the model's id of the call and its content blocks."""

    call_id: str
    blocks: tuple[Block, ...]
    is_error: bool = False

    def block(self) -> Block:
        made: dict[str, Any] = {"type": "tool_result", "tool_use_id": self.call_id}
        if self.blocks:
            made["content"] = list(self.blocks)
        if self.is_error:
            made["is_error"] = True
        return made

    @property
    def chars(self) -> int:
        return sum(len(block.get("text", "")) for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Entry:
    """One side's turn: `results` (user side only) come before `blocks`. `digest` covers the conversation up to here."""

    role: Literal["user", "assistant"]
    blocks: tuple[Block, ...]
    results: tuple[Result, ...]
    digest: bytes

    def content(self) -> list[Block]:
        return [*(result.block() for result in self.results), *self.blocks]


def system_text(messages: Sequence[Message], extra: str | None = None) -> str:
    """The system prompt: `extra` (the older gateway's `system_prompt`), then system and developer messages, in order."""
    texts = [extra] if extra else []
    texts += [
        "".join(getattr(part, "text", "") for part in message.content)
        for message in messages
        if message.role in ("system", "developer")
    ]
    return "\n\n".join(text for text in texts if text)


def call_id(client_id: str) -> str:
    """A tool call's id as the Messages API takes it: the client's own, or a digest of one with other characters."""
    if _PLAIN_ID.fullmatch(client_id):
        return client_id
    return "call_" + sha256(client_id.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def base_digest(*facts: object) -> bytes:
    """Where a conversation's chain begins: what must be equal beside the messages (client, model, system, tools)."""
    return blake2b(_sorted(facts), digest_size=16).digest()


def chain(digest: bytes, canonical: object) -> bytes:
    """The digest after one more entry."""
    return blake2b(digest + _sorted(canonical), digest_size=16).digest()


def canonical_answer(text: str, calls: Iterable[tuple[str, str, str]]) -> object:
    """What counts of an assistant entry: its text without outer white space, and its calls (id, name, arguments)."""
    return [
        "a",
        text.strip(),
        [[call_id(ident), name, _same_numbers(_arguments(arguments))] for ident, name, arguments in calls],
    ]


def entries_of(messages: Sequence[Message], base: bytes) -> tuple[Entry, ...]:
    """Turn the messages (system ones left aside) into alternating entries.

    Raises InvalidRequest where nothing can be asked: no message with content, or a last message that waits for results.
    """
    entries: list[Entry] = []
    digest = base
    for role, group in _groups(messages):
        if role == "assistant":
            entry = _assistant(group, digest)
        else:
            entry = _user(group, digest, entries[-1] if entries else None)
        entries.append(entry)
        digest = entry.digest
    if not entries:
        raise InvalidRequest("cannot ask without a message: give at least one with content", param="messages")
    if any(block["type"] == "tool_use" for block in entries[-1].blocks):
        raise InvalidRequest(
            "cannot go on from a tool call without its result: add a tool message for each call", param="messages"
        )
    return tuple(entries)


def _groups(messages: Sequence[Message]) -> list[tuple[str, list[tuple[int, Message]]]]:
    groups: list[tuple[str, list[tuple[int, Message]]]] = []
    for index, message in enumerate(messages):
        if message.role in ("system", "developer"):
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if role == "assistant" and not message.tool_calls and not _has_text(message):
            continue  # the Messages API refuses an empty turn, and it says nothing
        if message.role == "user" and not message.content:
            continue
        if groups and groups[-1][0] == role:
            groups[-1][1].append((index, message))
        else:
            groups.append((role, [(index, message)]))
    return groups


def _has_text(message: Message) -> bool:
    return any(getattr(part, "text", "").strip() for part in message.content)


def _assistant(group: Sequence[tuple[int, Message]], digest: bytes) -> Entry:
    blocks: list[Block] = []
    text: list[str] = []
    calls: list[ToolCall] = []
    for _, message in group:
        for part in message.content:
            words = getattr(part, "text", "")
            if words.strip():
                blocks.append({"type": "text", "text": words})
                text.append(words)
        calls.extend(message.tool_calls)
    for call in calls:
        arguments = _arguments(call.arguments)
        name = PREFIX + cli_name(call.name)
        blocks.append({"type": "tool_use", "id": call_id(call.id), "name": name, "input": arguments})
    canonical = canonical_answer("".join(text), [(call.id, call.name, call.arguments) for call in calls])
    return Entry("assistant", tuple(blocks), (), chain(digest, canonical))


def _user(group: Sequence[tuple[int, Message]], digest: bytes, before: Entry | None) -> Entry:
    blocks: list[Block] = []
    results: dict[str, Result] = {}
    for index, message in group:
        made = blocks_of(message.content, f"messages[{index}].content")
        if message.role in ("tool", "function"):
            ident = call_id(message.tool_call_id or "")
            results[ident] = Result(ident, tuple(made))
        else:
            blocks.extend(made)
    for block in before.blocks if before else ():
        if block["type"] == "tool_use" and block["id"] not in results:
            missing = ({"type": "text", "text": NO_RESULT},)
            results[block["id"]] = Result(block["id"], missing, is_error=True)
    canonical = [
        "u",
        [_brief(block) for block in blocks],
        sorted([r.call_id, *map(_brief, r.blocks)] for r in results.values()),
    ]
    return Entry("user", tuple(blocks), tuple(results.values()), chain(digest, canonical))


def _brief(block: Block) -> object:
    if block["type"] == "text":
        return block["text"]
    return sha256(_sorted(block)).hexdigest()


def _arguments(text: str) -> Mapping[str, Any]:
    """A call's arguments as an object. What is none (a model's slip that came back in a history) is kept as a text."""
    try:
        value = _json.decode(text or "{}")
    except (msgspec.DecodeError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"arguments": text}


def _same_numbers(value: object) -> object:
    """1.0 and 1 are one number to JavaScript, which writes back the second when it read the first."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_same_numbers(item) for item in value]
        case dict():
            return {key: _same_numbers(item) for key, item in value.items()}
    return value
