"""An estimate of the tokens that a question will use, to reserve them before they are counted."""

from collections.abc import Iterator
from typing import Final

from claudegwd.claude_cli.commands import encode
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.request.parameters import DEFAULT_MAX_TOKENS
from claudegwd.translate.request.parts import Block
from claudegwd.translate.request.plan import Plan

CHARACTERS_PER_TOKEN: Final = 4  # the usual rule of thumb for English
# Each byte that a character takes in UTF-8 beside its first counts for so many characters more: measured, see
# docs/compatibility.md. Cyrillic letters are half a token then, Chinese ones a whole one.
CHARACTERS_PER_FURTHER_BYTE: Final = 1.6
# Anthropic counts width times height over 750, and makes larger pictures so small that this comes to no more.
IMAGE_TOKENS: Final = 1_600
# A page of a PDF is some 2,000 tokens and 60 kB.
PDF_CHARACTERS_PER_TOKEN: Final = 40
# For an answer whose client names no max_tokens: a page and a half, which most answers do not reach. OpenAI counts
# none at all then; one that is longer becomes a debt.
ANSWER_TOKENS: Final = 1_000
# No model generates more, whatever max_tokens says.
ANSWER_TOKENS_MAX: Final = 128_000


def prompt_tokens(plan: Plan) -> int:
    """Of everything sent to the model: system prompt, tools, and the whole conversation."""
    characters = _characters(plan.system) + (len(encode(plan.tools.manifest)) if plan.tools.manifest else 0)
    tokens = 0
    for block in _blocks(plan):
        match block["type"]:
            case "text":
                characters += _characters(block["text"])
            case "image":
                tokens += IMAGE_TOKENS
            case "document" if block["source"].get("type") == "base64":
                tokens += -(-len(block["source"]["data"]) // PDF_CHARACTERS_PER_TOKEN)
            case "document" if isinstance(block["source"].get("data"), str):
                characters += _characters(block["source"]["data"])
            case _:
                characters += len(encode(block))
    return max(1, tokens + _tokens(characters))  # a client would think that 0 is an error


def _tokens(characters: int) -> int:
    """As many as these characters take: even the shortest text is one."""
    return -(-characters // CHARACTERS_PER_TOKEN)


def _characters(text: str) -> int:
    """The length of an English text with as many tokens."""
    if text.isascii():
        return len(text)
    further = len(text.encode("utf-8", "surrogatepass")) - len(text)
    return len(text) + int(further * CHARACTERS_PER_FURTHER_BYTE)


def answer_tokens(plan: Plan) -> int:
    """The client's own bound on the answer, else what most answers stay below."""
    return ANSWER_TOKENS if plan.max_tokens is None else min(plan.max_tokens, ANSWER_TOKENS_MAX)


def most_tokens(plan: Plan) -> int:
    """The most that the answer can have: the CLI's own bound if the client sets none."""
    return DEFAULT_MAX_TOKENS if plan.max_tokens is None else min(plan.max_tokens, ANSWER_TOKENS_MAX)


def used_tokens(plan: Plan, answer: Answer) -> int:
    """What an answer that broke off has used: its counts were never reported."""
    return prompt_tokens(plan) + said_tokens(answer)


def said_tokens(answer: Answer) -> int:
    """Of the answer so far."""
    return _tokens(answer.characters)


def _blocks(plan: Plan) -> Iterator[Block]:
    for entry in plan.entries:
        yield from entry.blocks
        for result in entry.results:
            yield from result.blocks
