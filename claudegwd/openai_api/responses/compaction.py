"""Compaction: a long conversation is replaced by the user's own words and the model's summary of the rest.

The client sends the summary back as a sealed `compaction` item. Of everything before the last such item, only system
messages and the newest user messages are used: calls, results and answers are in the summary.
"""

from collections.abc import Callable, Sequence

import msgspec

from claudegwd.openai_api.chat.request import ChatRequest, Message, TextPart
from claudegwd.openai_api.fields import Fields, cannot_honour, refuse

# The newest of the user's own words, some 20,000 tokens, a tenth of what a model can read. Summaries get these wrong;
# of an older message that was a whole file, the summary mentions the subject.
KEPT_CHARS = 80_000
# How much of that an image or a file counts for; see translate/request/estimate.py.
PART_CHARS = 6_400
# OpenAI's own minimum; below it every request would be compacted.
MIN_THRESHOLD = 1_000
MAX_THRESHOLD = 2**31 - 1  # larger than any context, and small enough for every number parser
MAX_ENTRIES = 8  # entries of context_management, for which OpenAI defines a single type

SUMMARISE = (
    "Stop here, call no tools, and write a summary of this conversation. It will take the place of everything above "
    "except the user's own messages, for somebody who goes on with the work and sees nothing else. Include what the "
    "user wants, with all conditions; what was done and what came of it; the decisions taken, and why; names, paths, "
    "commands, numbers and code that are still needed, word for word; what is open, and the next step. Write the "
    "summary only."
)
SUMMARY_HEAD = "The conversation up to here was summarised. What was done so far:\n\n"

# The text of a summary, from a compaction item's content; None if it is not this client's.
Unseal = Callable[[str], str | None]


def read_compaction(item: Fields, unseal: Unseal) -> Message:
    """The message that replaces everything the item stands for. Raises InvalidRequest for a foreign one."""
    sealed = item.needed_text("encrypted_content")
    summary = unseal(sealed)
    if summary is None:
        refuse(
            item.at("encrypted_content"),
            "it was not created here for this client; send the conversation itself, or compact it again",
            code="invalid_encrypted_content",
        )
    return summary_message(summary)


def summary_message(summary: str) -> Message:
    """How the model is told about it."""
    return Message(role="user", content=(TextPart(SUMMARY_HEAD + summary),))


def kept(messages: Sequence[Message]) -> list[bool]:
    """Which of these messages stay when the rest is summarised."""
    room = KEPT_CHARS
    stays = [False] * len(messages)
    newest = True  # it is the question, however long
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if message.role in ("system", "developer"):
            stays[index] = True
        elif message.role == "user" and not _is_summary(message):
            room -= _size(message)
            stays[index] = room >= 0 or newest
            newest = False
    return stays


def summarising(chat: ChatRequest) -> ChatRequest:
    """The question for a summary: the same conversation and tools, so that the prompt cache applies."""
    asked = Message(role="user", content=(TextPart(SUMMARISE),))
    return msgspec.structs.replace(
        chat,
        messages=(*chat.messages, asked),
        tool_choice="none" if chat.tools else None,
        web_search=None,
        response_format=None,
        max_tokens=None,
    )


def compacted(chat: ChatRequest, summary: str) -> ChatRequest:
    """The same question, with the conversation before it replaced by its summary."""
    staying = [message for message, stays in zip(chat.messages, kept(chat.messages), strict=True) if stays]
    return msgspec.structs.replace(chat, messages=(*staying, summary_message(summary)))


def read_threshold(body: Fields) -> int | None:
    """Read `context_management`: the number of tokens from which the conversation is compacted."""
    found = None
    for entry in body.objects("context_management", longest=MAX_ENTRIES):
        if entry.needed_text("type") != "compaction":
            cannot_honour(entry.at("type"), "compaction is the only kind; omit the others")
        threshold = entry.whole("compact_threshold", MIN_THRESHOLD, MAX_THRESHOLD)
        if threshold is not None:
            found = threshold if found is None else min(found, threshold)
    return found


def _is_summary(message: Message) -> bool:
    [first, *_] = message.content or (TextPart(""),)
    return isinstance(first, TextPart) and first.text.startswith(SUMMARY_HEAD)


def _size(message: Message) -> int:
    return sum(len(part.text) if isinstance(part, TextPart) else PART_CHARS for part in message.content)
