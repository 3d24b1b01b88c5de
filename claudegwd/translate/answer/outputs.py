"""The outputs of a turn, in order: the inner protocol's answer in terms of the outer one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from claudegwd.keys.failures import FailureKind


class After(Enum):
    """What happens to the process once the answer is complete."""

    KEEP = "keep"  # it settles with its `result` line and can take the next turn
    PARK = "park"  # it waits for the results of the client's tools
    KILL = "kill"  # it would continue by itself: end it before its next request


@dataclass(frozen=True, slots=True)
class TokenCount:
    """OpenAI's counts: the prompt's includes what the cache read and wrote."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0
    written: int = 0  # to the cache
    estimated: bool = False  # the completion's, which was not reported


@dataclass(frozen=True, slots=True)
class Started:
    """The upstream message began. `model` is the one that answers, perhaps not the one that was asked; `usage`: what
    upstream has counted so far."""

    model: str
    usage: TokenCount = TokenCount()


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A piece of the answer: a JSON string literal, quotes included, never `""`."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A piece of the model's thinking, likewise."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model declined. It gives no reason besides what it said before, so the words are ours; likewise."""

    raw: bytes = b'"The model declined to answer this."'


@dataclass(frozen=True, slots=True)
class ToolStart:
    """Call number `index` (from 0) begins. `name` is the client's own."""

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolArguments:
    """A piece of that call's arguments, a JSON string literal. Each call has at least one."""

    index: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete. `reason` is OpenAI's finish reason.

    `said`: the answer as blocks of the Messages API, if some are signed thinking, which a replay must return unchanged;
    else empty.
    """

    reason: str
    usage: TokenCount
    after: After
    said: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The turn failed. `status` is the upstream's, `error` the CLI's name for it.

    `detail`: why, in a few words, perhaps the upstream's own: redact it before anybody reads it.
    """

    kind: FailureKind
    status: int | None
    error: str | None
    reset_at: float | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Cited:
    """A range of characters in the text (end exclusive) is based on a web page. Comes after that text."""

    start: int
    end: int
    url: str
    title: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """An event of the upstream's message as it came, as JSON. Only produced by a turn that is asked to, each before the
    event's other outputs."""

    name: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class ServerToolStart:
    """A tool that runs upstream is called."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ServerToolInput:
    """Its input; comes once, before its result."""

    id: str
    input: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ServerToolResult:
    """It is done. `pages`: the addresses that a search found; `failed`: whether it returned an error instead."""

    id: str
    pages: tuple[str, ...]
    failed: bool


Output: TypeAlias = (
    Started
    | TextPiece
    | Reasoning
    | Refusal
    | ToolStart
    | ToolArguments
    | Cited
    | ServerToolStart
    | ServerToolInput
    | ServerToolResult
    | Finished
    | Failed
    | Verbatim
)


def has_token(outputs: Sequence[Output]) -> bool:
    """Whether any of them is part of an answer, rather than just its start or a failure."""
    return any(not isinstance(output, Started | Failed) and not _is_start(output) for output in outputs)


def _is_start(output: Output) -> bool:
    return isinstance(output, Verbatim) and output.name == "message_start"
